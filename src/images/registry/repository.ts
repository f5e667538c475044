import { type Digest, digestOf, isDigest } from "#core/digest";
import { mediaType } from "#core/oci";
import { readBody } from "./body.ts";
import { RegistryFault } from "./failure.ts";
import type { Route } from "./route.ts";
import type { Session } from "./session.ts";
import type { Answer } from "./transport.ts";

/** One repository at its registry, read through whatever endpoint works (OCI distribution-spec, pull). */
export interface Repository {
  /** A manifest or index by tag or digest; its bytes are checked against the digest. At most 4 MiB. */
  manifest(tagOrDigest: string, signal: AbortSignal): Promise<RemoteDocument>;
  /** The digest that a tag names now, without fetching what it names; undefined when the registry does not say. */
  digestOf(tag: string, signal: AbortSignal): Promise<Digest | undefined>;
  /** Opens a blob for reading, from about `fromByte` on. The bytes are not checked yet. */
  blob(digest: Digest, fromByte: number, signal: AbortSignal): Promise<RemoteBlob>;
  /** All tags, in the registry's order. */
  tags(signal: AbortSignal): Promise<string[]>;
}

/** A small document with its digest, verified. */
export interface RemoteDocument {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** As the server said in Content-Type; may be wrong or empty. */
  readonly mediaType: string;
}

/** A blob that is being sent. */
export interface RemoteBlob {
  /** Where the bytes really begin: what was asked for, or 0 when the server knows no ranges. */
  readonly fromByte: number;
  readonly body: AsyncIterable<Uint8Array>;
  /** To be called when the bytes were wrong or did not come: a mirror is not asked again then. Answers whether it was one. */
  reject(): boolean;
}

/** The largest manifest or index that is read (distribution-spec: registries should take 4 MiB). */
export const maxManifestBytes = 4 * 1024 * 1024;

/** Opens a repository over a route; `path` is a checked reference's path. */
export function openRepository(route: Route, path: string): Repository {
  const base = `/v2/${path}`;
  const small = { attempts: 3 };
  return {
    manifest: (name, signal) => route.run((session) => readManifest(session, base, name, signal), small, signal),
    digestOf: (tag, signal) => route.run((session) => headManifest(session, base, tag, signal), small, signal),
    tags: (signal) => route.run((session) => readTags(session, base, signal), small, signal),
    async blob(digest, fromByte, signal) {
      const open = async (session: Session) => ({
        session,
        ...(await openBlob(session, base, digest, fromByte, signal)),
      });
      const { session, ...blob } = await route.run(open, { attempts: 2 }, signal); // a kept connection may have died
      return { ...blob, reject: () => route.reject(session) };
    },
  };
}

const accept = [mediaType.ociIndex, mediaType.ociManifest, mediaType.dockerIndex, mediaType.dockerManifest].join(", ");

async function readManifest(
  session: Session,
  base: string,
  name: string,
  signal: AbortSignal,
): Promise<RemoteDocument> {
  const request = { method: "GET", path: `${base}/manifests/${name}`, headers: { accept }, wanted: [200] } as const;
  const answer = await session.send(request, signal);
  const bytes = await readBody(answer.body, maxManifestBytes, `the manifest of ${name}`);
  const digest = digestOf(bytes);
  const expected = isDigest(name) ? name : digestIn(answer);
  if (expected !== undefined && expected !== digest) {
    throw new RegistryFault("protocol", `manifest verification failed for digest ${expected}`, {
      remedy: `${session.endpoint.origin.host} sent something else (${digest}); a cache on the way may be broken.`,
    });
  }
  return { bytes, digest, mediaType: (answer.headers["content-type"] ?? "").split(";")[0]?.trim() ?? "" };
}

async function headManifest(
  session: Session,
  base: string,
  tag: string,
  signal: AbortSignal,
): Promise<Digest | undefined> {
  const request = { method: "HEAD", path: `${base}/manifests/${tag}`, headers: { accept }, wanted: [200] } as const;
  return digestIn(await session.send(request, signal));
}

function digestIn(answer: Answer): Digest | undefined {
  const value = answer.headers["docker-content-digest"];
  return typeof value === "string" && isDigest(value) ? value : undefined;
}

async function openBlob(
  session: Session,
  base: string,
  digest: Digest,
  fromByte: number,
  signal: AbortSignal,
): Promise<{ fromByte: number; body: AsyncIterable<Uint8Array> }> {
  const headers: Record<string, string> = fromByte === 0 ? {} : { range: `bytes=${fromByte}-` };
  const path = `${base}/blobs/${digest}`;
  const answer = await session.send(
    { method: "GET", path, headers, wanted: fromByte === 0 ? [200] : [200, 206] },
    signal,
  );
  if (answer.status === 200) return { fromByte: 0, body: answer.body };
  const start = /^bytes (\d+)-/.exec(answer.headers["content-range"] ?? "")?.[1];
  if (start === undefined || Number(start) > fromByte) {
    answer.discard();
    throw new RegistryFault("protocol", `${answer.url.host} sent another part of the blob than was asked for`);
  }
  return { fromByte: Number(start), body: answer.body };
}

const maxTagPages = 1000;

async function readTags(session: Session, base: string, signal: AbortSignal): Promise<string[]> {
  const tags: string[] = [];
  let path: string | undefined = `${base}/tags/list?n=1000`;
  for (let page = 0; path !== undefined && page < maxTagPages; page += 1) {
    const answer: Answer = await session.send({ method: "GET", path, wanted: [200] }, signal);
    tags.push(...tagsIn(await readBody(answer.body, maxManifestBytes, "the list of tags")));
    path = nextPage(answer.headers["link"], new URL(path, session.endpoint.origin));
  }
  return tags;
}

function tagsIn(bytes: Uint8Array): string[] {
  try {
    const document: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    const tags: unknown = typeof document === "object" && document !== null && "tags" in document ? document.tags : [];
    const texts: unknown[] = Array.isArray(tags) ? tags : [];
    return texts.filter((tag): tag is string => typeof tag === "string" && /^\w[\w.-]{0,127}$/.test(tag));
  } catch (error) {
    throw new RegistryFault("protocol", "the registry's list of tags is no JSON", { cause: error });
  }
}

/** The path of a `Link: <…>; rel="next"`, on this server alone. */
function nextPage(link: string | string[] | undefined, here: URL): string | undefined {
  const target = /<([^>]*)>\s*;\s*rel="?next"?/.exec(typeof link === "string" ? link : "")?.[1];
  if (target === undefined || !URL.canParse(target, here)) return undefined;
  const url = new URL(target, here);
  return url.host === here.host ? `${url.pathname}${url.search}` : undefined;
}
