import { type Digest, isDigest } from "#core/digest";
import { isFault } from "#core/fault";
import { RegistryFault } from "./failure.ts";
import type { Route } from "./route.ts";
import type { Session } from "./session.ts";
import type { Answer, StreamedBody } from "./transport.ts";

/** One repository at its registry, to be written to (OCI distribution-spec, push). */
export interface Target {
  /** Whether the repository has the blob already. */
  has(digest: Digest, signal: AbortSignal): Promise<boolean>;
  /** Begins an upload of that blob, after asking (with `from`) for it to be mounted from that other repository of the registry. */
  begin(digest: Digest, from: string | undefined, signal: AbortSignal): Promise<Upload | "mounted">;
  /** Puts a manifest or index there, by tag or by digest; what the registry took is compared with the digest. */
  putManifest(
    name: string,
    document: { readonly bytes: Uint8Array; readonly mediaType: string; readonly digest: Digest },
    signal: AbortSignal,
  ): Promise<void>;
}

/** An upload that the registry has opened. */
export interface Upload {
  /** Sends bytes that begin at `fromByte`; answers how many the registry says to have in all, undefined where it does not say. */
  send(body: StreamedBody, fromByte: number, signal: AbortSignal): Promise<number | undefined>;
  /** How many bytes the registry has; undefined when it no longer knows the upload. */
  offset(signal: AbortSignal): Promise<number | undefined>;
  /** Ends the upload, sending the whole blob with it or nothing more. */
  finish(digest: Digest, body: StreamedBody | undefined, signal: AbortSignal): Promise<void>;
  /** Tells the registry that nothing more comes; quiet when it does not care. */
  cancel(signal: AbortSignal): Promise<void>;
}

/** Opens a repository for pushing; `path` is a checked reference's path, the route leads to no mirror. */
export function openTarget(route: Route, path: string): Target {
  const base = `/v2/${path}`;
  const small = { attempts: 3 };
  return {
    has: (digest, signal) => route.run((session) => hasBlob(session, base, digest, signal), small, signal),
    begin: (digest, from, signal) => route.run((session) => begin(session, base, digest, from, signal), small, signal),
    putManifest: (name, document, signal) =>
      route.run((session) => putManifest(session, base, name, document, signal), small, signal),
  };
}

async function hasBlob(session: Session, base: string, digest: Digest, signal: AbortSignal): Promise<boolean> {
  const request = { method: "HEAD", path: `${base}/blobs/${digest}`, wanted: [200, 404] } as const;
  return (await session.send(request, signal)).status === 200;
}

async function begin(
  session: Session,
  base: string,
  digest: Digest,
  from: string | undefined,
  signal: AbortSignal,
): Promise<Upload | "mounted"> {
  if (from !== undefined) {
    const mounted = await mount(session, base, digest, from, signal).catch(unlessCancelled);
    if (mounted !== undefined) return mounted;
  }
  const request = { method: "POST", path: `${base}/blobs/uploads/`, wanted: [202] } as const;
  return new OpenUpload(session, await session.send(request, signal));
}

async function mount(
  session: Session,
  base: string,
  digest: Digest,
  from: string,
  signal: AbortSignal,
): Promise<Upload | "mounted"> {
  const path = `${base}/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  const answer = await session.send({ method: "POST", path, alsoPull: from, wanted: [201, 202] }, signal);
  if (answer.status === 202) return new OpenUpload(session, answer);
  answer.discard();
  return "mounted";
}

/** Whatever is against the short cut, the long way will tell. */
function unlessCancelled(error: unknown): undefined {
  if (isFault(error, "cancelled")) throw error;
  return undefined;
}

class OpenUpload implements Upload {
  readonly #session: Session;
  #location: URL;

  constructor(session: Session, opened: Answer) {
    this.#session = session;
    this.#location = session.endpoint.origin;
    if (!this.#follow(opened)) {
      throw new RegistryFault("protocol", `${session.endpoint.origin.host} began an upload without saying where`);
    }
    opened.discard();
  }

  async send(body: StreamedBody, fromByte: number, signal: AbortSignal): Promise<number | undefined> {
    const range = fromByte === 0 ? {} : { "content-range": `${fromByte}-${fromByte + body.sizeBytes - 1}` };
    const headers = { "content-type": "application/octet-stream", ...range };
    const answer = await this.#ask({ method: "PATCH", headers, body, wanted: [202] }, signal);
    return offsetIn(answer);
  }

  async offset(signal: AbortSignal): Promise<number | undefined> {
    try {
      return offsetIn(await this.#ask({ method: "GET", wanted: [200, 202, 204] }, signal)) ?? 0;
    } catch (error) {
      if (error instanceof RegistryFault && lost.has(error.reason)) return undefined;
      throw error;
    }
  }

  async finish(digest: Digest, body: StreamedBody | undefined, signal: AbortSignal): Promise<void> {
    const path = new URL(this.#location);
    path.searchParams.append("digest", digest);
    const headers = { "content-type": "application/octet-stream" };
    const nothing = { sizeBytes: 0, open: () => emptiness() };
    const request = { method: "PUT", path, headers, body: body ?? nothing, wanted: [201, 204] } as const;
    compare(await this.#session.send(request, signal), digest);
  }

  async cancel(signal: AbortSignal): Promise<void> {
    await this.#ask({ method: "DELETE", wanted: [200, 202, 204] }, signal).catch(() => undefined);
  }

  async #ask(request: Omit<Parameters<Session["send"]>[0], "path">, signal: AbortSignal): Promise<Answer> {
    const answer = await this.#session.send({ ...request, path: this.#location }, signal);
    this.#follow(answer);
    answer.discard();
    return answer;
  }

  /** Takes over where the next request goes (relative or not); answers whether the registry said so. */
  #follow({ headers, url }: Answer): boolean {
    const { location } = headers;
    if (location === undefined || !URL.canParse(location, url)) return false;
    const next = new URL(location, url);
    const { origin } = this.#session.endpoint;
    // What stands behind a server that does the TLS for it may not know of it; that server is spoken to.
    const isBehind = next.protocol === "http:" && origin.protocol === "https:" && next.hostname === origin.hostname;
    this.#location = isBehind ? new URL(`${next.pathname}${next.search}`, origin) : next;
    return true;
  }
}

/** Answers of a registry that knows of no such upload, or of another state of it. */
const lost: ReadonlySet<RegistryFault["reason"]> = new Set(["missing", "protocol"]);

/** What `Range: 0-N` tells; registries say `0-0` of an upload that has nothing yet. */
function offsetIn({ headers }: Answer): number | undefined {
  const last = /^(?:bytes=)?0-(\d+)$/.exec(headers.range ?? "")?.[1];
  if (last === undefined) return undefined;
  return last === "0" ? 0 : Number(last) + 1;
}

async function putManifest(
  session: Session,
  base: string,
  name: string,
  { bytes, mediaType, digest }: Parameters<Target["putManifest"]>[1],
  signal: AbortSignal,
): Promise<void> {
  const body = { sizeBytes: bytes.length, open: () => once(bytes) };
  const headers = { "content-type": mediaType };
  const request = { method: "PUT", path: `${base}/manifests/${name}`, headers, body, wanted: [200, 201, 202] } as const;
  compare(await session.send(request, signal), digest);
}

/** A registry that says what it took must have taken what was sent. */
function compare(answer: Answer, digest: Digest): void {
  answer.discard();
  const took = answer.headers["docker-content-digest"];
  if (typeof took !== "string" || took === digest || !isDigest(took)) return;
  throw new RegistryFault("protocol", `${answer.url.host} took ${took} for ${digest}`, {
    remedy: "It stored other bytes than were sent; something on the way may change them.",
  });
}

async function* emptiness(): AsyncGenerator<Uint8Array, void, void> {
  // The registry has all of it.
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
