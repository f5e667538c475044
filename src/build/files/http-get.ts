import { Fault } from "#core/fault";

/** What a server answered. */
export interface HttpAnswer {
  /** Still what the caller has: its ETag was sent. */
  readonly unchanged: boolean;
  readonly etag: string | undefined;
  /** Seconds since 1970; undefined: not said. */
  readonly modifiedSeconds: number | undefined;
  /** Of the last URL, after redirections. */
  readonly fileName: string;
  readonly body: AsyncIterable<Uint8Array>;
}

const idleMs = 60_000;
const redirectsLimit = 10;

/**
 * Asks for a URL by http or https; credentials in it are sent to its own host alone. Faults: `invalid` for other schemes,
 * `notFound`, `unauthorized`, `unavailable` (`invalid response status …`, as BuildKit says it). A server that sends nothing for a minute is
 * given up.
 */
export async function httpGet(url: string, etag: string | undefined, signal: AbortSignal): Promise<HttpAnswer> {
  let at = parse(url);
  for (let count = 0; count <= redirectsLimit; count++) {
    const idle = new AbortController();
    const timer = setTimeout(() => idle.abort(new Fault("unavailable", `${shown(at)} did not answer in time`)), idleMs);
    const both = AbortSignal.any([signal, idle.signal]);
    let answer: Response;
    try {
      answer = await fetch(withoutUser(at), { headers: headersOf(at, etag), redirect: "manual", signal: both });
    } catch (error) {
      clearTimeout(timer);
      throw faultOf(error, at, both);
    }
    const target = answer.status >= 300 && answer.status < 400 ? answer.headers.get("location") : null;
    if (target === null) return answered(answer, at, { signal: both, timer });
    clearTimeout(timer);
    await answer.body?.cancel();
    at = parse(new URL(target, at).href);
  }
  throw new Fault("unavailable", `${shown(parse(url))}: too many redirections`);
}

/** Whether it is a URL of http or https. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\//.test(text);
}

function answered(
  answer: Response,
  url: URL,
  reading: { readonly signal: AbortSignal; readonly timer: NodeJS.Timeout },
): HttpAnswer {
  if (answer.status !== 304 && !answer.ok) {
    clearTimeout(reading.timer);
    void answer.body?.cancel().catch(() => undefined);
    throw statusFault(answer.status, url);
  }
  const modified = Date.parse(answer.headers.get("last-modified") ?? "");
  return {
    unchanged: answer.status === 304,
    etag: answer.headers.get("etag") ?? undefined,
    modifiedSeconds: Number.isNaN(modified) ? undefined : Math.floor(modified / 1000),
    fileName: fileNameOf(answer.headers.get("content-disposition"), url),
    body: bodyOf(answer, url, reading),
  };
}

async function* bodyOf(
  answer: Response,
  url: URL,
  { signal, timer }: { readonly signal: AbortSignal; readonly timer: NodeJS.Timeout },
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for await (const piece of answer.body ?? []) {
      timer.refresh();
      yield piece as Uint8Array;
    }
  } catch (error) {
    throw faultOf(error, url, signal);
  } finally {
    clearTimeout(timer);
  }
}

function parse(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    throw new Fault("invalid", "invalid URL", { cause: error });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new Fault("invalid", `${url.protocol} is not possible: http and https are`);
  return url;
}

function headersOf(url: URL, etag: string | undefined): Record<string, string> {
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    "accept-encoding": "identity",
    "user-agent": "slipway",
    ...(user !== ":" && { authorization: `Basic ${Buffer.from(user).toString("base64")}` }),
    ...(etag !== undefined && { "if-none-match": etag }),
  };
}

function withoutUser(url: URL): URL {
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  return bare;
}

/** Without credentials, and without a query, which often is one. */
function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function statusFault(status: number, url: URL): Fault {
  const kind = status === 404 || status === 410 ? "notFound" : status === 401 || status === 403 ? "unauthorized" : "unavailable";
  return new Fault(kind, `${shown(url)}: invalid response status ${status}`);
}

function faultOf(error: unknown, url: URL, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason instanceof Fault ? signal.reason : new Fault("cancelled", "cancelled", { cause: error });
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new Fault("unavailable", `${shown(url)}: ${cause instanceof Error ? cause.message : "failed"}`, { cause: error });
}

/** By the header, else the last part of the path; `download` when there is none. */
function fileNameOf(disposition: string | null, url: URL): string {
  const said = /(?:^|;)\s*filename="?([^";]*)"?/i.exec(disposition ?? "")?.[1];
  const path = url.pathname.split("/").at(-1) ?? "";
  for (const name of [said, decoded(path)]) if (name !== undefined && isFileName(name)) return name;
  return "download";
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isFileName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name) && Buffer.byteLength(name) <= 255;
}
