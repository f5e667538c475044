import { Fault } from "#core/fault";
import type { WebAnswer, WebTransport } from "#images";

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

const redirectsLimit = 10;

/**
 * Asks for a URL by http or https; credentials in it are sent to its own host alone. Faults: `invalid` for other schemes,
 * `notFound`, `unauthorized`, `unavailable` (`invalid response status …`, as BuildKit says it), also for a server that is silent or drips.
 */
export async function httpGet(
  web: WebTransport,
  url: string,
  etag: string | undefined,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  let at = parse(url);
  for (let count = 0; count <= redirectsLimit; count++) {
    const exchange = { method: "GET", url: withoutUser(at), headers: headersOf(at, etag), verifyTls: true } as const;
    const answer = await web.send(exchange, signal);
    const target = answer.status >= 300 && answer.status < 400 ? answer.headers.location : undefined;
    if (target === undefined) return answered(answer, at);
    answer.discard();
    if (!URL.canParse(target, at)) throw new Fault("unavailable", `${shown(at)}: invalid redirection`);
    at = parse(new URL(target, at).href);
  }
  throw new Fault("unavailable", `${shown(parse(url))}: too many redirections`);
}

/** Whether it is a URL of http or https. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\//.test(text);
}

function answered(answer: WebAnswer, url: URL): HttpAnswer {
  if (answer.status !== 304 && (answer.status < 200 || answer.status > 299)) {
    answer.discard();
    throw statusFault(answer.status, url);
  }
  const modified = Date.parse(answer.headers["last-modified"] ?? "");
  return {
    unchanged: answer.status === 304,
    etag: answer.headers.etag,
    modifiedSeconds: Number.isNaN(modified) ? undefined : Math.floor(modified / 1000),
    fileName: fileNameOf(answer.headers["content-disposition"], url),
    body: answer.body,
  };
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
  const user = `${decoded(url.username)}:${decoded(url.password)}`;
  return {
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
  const kind =
    status === 404 || status === 410 ? "notFound" : status === 401 || status === 403 ? "unauthorized" : "unavailable";
  return new Fault(kind, `${shown(url)}: invalid response status ${status}`);
}

/** By the header, else the last part of the path; `download` when there is none. */
function fileNameOf(disposition: string | undefined, url: URL): string {
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
