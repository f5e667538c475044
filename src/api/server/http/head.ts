import { Fault } from "#core/fault";

/** The head of an HTTP/1 request (RFC 9112). Header names in lower case, repeated ones joined by a comma. */
export interface RequestHead {
  readonly method: string;
  /** As it was sent: path and query. */
  readonly target: string;
  readonly minor: 0 | 1;
  readonly headers: ReadonlyMap<string, string>;
}

/** How the body of a request ends (RFC 9112 §6). */
export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly sizeBytes: number }
  | { readonly kind: "chunked" };

/** Bytes that a head may have; credentials in X-Registry-Auth and X-Registry-Config are the largest part. */
export const maxHeadBytes = 128 * 1024;
const maxHeaders = 200;

const tokenForm = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const requestLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/;

/** Where the head ends in the bytes (behind the empty line), or −1. A bare line feed ends a line too, as Go's server has it. */
export function findHeadEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0x0a, Math.max(0, from)); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
    if (bytes[at + 1] === 0x0a) return at + 2;
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === 0x0a) return at + 3;
  }
  return -1;
}

/** Reads a head, ending in its empty line. Fault `invalid` for what is not HTTP/1, `tooLarge` for more than 200 headers. */
export function parseHead(bytes: Uint8Array): RequestHead {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1").split(/\r?\n/);
  const [, method, target, minor] = requestLine.exec(lines[0] ?? "") ?? [];
  if (method === undefined || target === undefined) throw malformed("the request line");
  const headers = new Map<string, string>();
  const fields = lines.slice(1).filter((line) => line !== "");
  if (fields.length > maxHeaders) throw new Fault("tooLarge", "request has too many headers");
  for (const line of fields) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (!tokenForm.test(name) || /[\0\r\n]/.test(value)) throw malformed("a header");
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return { method, target, minor: minor === "0" ? 0 : 1, headers };
}

/** How the body is delimited. Faults `invalid`: both lengths given, or none that can be read; nothing is guessed. */
export function framingOf({ headers }: RequestHead): BodyFraming {
  const coding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked") throw new Fault("unsupported", `unsupported transfer encoding: ${coding}`);
    if (length !== undefined) throw malformed("Content-Length beside Transfer-Encoding");
    return { kind: "chunked" };
  }
  if (length === undefined) return { kind: "none" };
  const lengths = new Set(length.split(/, */));
  const [only = ""] = lengths;
  if (lengths.size !== 1 || !/^\d{1,15}$/.test(only)) throw malformed("Content-Length");
  return only === "0" ? { kind: "none" } : { kind: "length", sizeBytes: Number(only) };
}

/** Whether a header that is a list of words has that one, in any case. */
export function hasWord(head: RequestHead, header: string, word: string): boolean {
  const value = head.headers.get(header) ?? "";
  return value.split(",").some((part) => part.trim().toLowerCase() === word);
}

function malformed(what: string): Fault {
  return new Fault("invalid", `malformed HTTP request: ${what}`);
}
