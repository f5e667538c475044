import { Fault } from "#core/fault";
import type { BodyFraming } from "./head.ts";
import type { SocketInput } from "./socket-input.ts";

/** A chunk-size line with its extension, and all trailers together, may have this many bytes. */
const maxLineBytes = 4096;
/** What is thrown away of an unread body to keep the connection; above it the connection is closed. */
const maxDiscardedBytes = 256 * 1024;

/** The body of one request: bytes as they come, nothing beyond its end. */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #input: SocketInput;
  readonly #pieces: AsyncGenerator<Buffer, void>;
  readonly #sendContinue: (() => void) | undefined;
  #done: boolean;
  #touched = false;

  /** `sendContinue` answers `Expect: 100-continue` before the first read; undefined when the client does not wait for it. */
  constructor(input: SocketInput, framing: BodyFraming, sendContinue?: () => void) {
    this.#input = input;
    this.#sendContinue = sendContinue;
    this.#done = framing.kind === "none";
    this.#pieces =
      framing.kind === "chunked" ? chunks(input) : sized(input, framing.kind === "none" ? 0 : framing.sizeBytes);
  }

  /** Whether it is read to its end. */
  get done(): boolean {
    return this.#done;
  }

  /** The next bytes; undefined at the end. Fault `invalid` for a broken or cut body. */
  async read(): Promise<Buffer | undefined> {
    if (this.#done) return undefined;
    if (!this.#touched) this.#sendContinue?.();
    this.#touched = true;
    const next = await this.#pieces.next();
    if (next.done !== true) return next.value;
    this.#done = true;
    return undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (let bytes = await this.read(); bytes !== undefined; bytes = await this.read()) yield bytes;
  }

  /** The whole body. Faults: `tooLarge` above the bound, `invalid` when it is not here in time. */
  async readAll(maxBytes: number, timeoutMs: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let sizeBytes = 0;
    const timer = setTimeout(() => this.#input.giveUp(), timeoutMs);
    try {
      for (let bytes = await this.read(); bytes !== undefined; bytes = await this.read()) {
        sizeBytes += bytes.length;
        if (sizeBytes > maxBytes) throw new Fault("tooLarge", `request body is larger than ${maxBytes} bytes`);
        pieces.push(bytes);
      }
    } finally {
      clearTimeout(timer);
    }
    return Buffer.concat(pieces);
  }

  /** Throws away all that comes, to the body's end: only behind it is a client that leaves noticed. Fault `invalid` when it is cut. */
  async drain(): Promise<void> {
    while ((await this.read()) !== undefined);
  }

  /** Throws the rest away; false when that is not worth it (much is left, or the client waits for a 100) and the connection must close. */
  async discard(): Promise<boolean> {
    if (this.#done) return true;
    if (!this.#touched && this.#sendContinue !== undefined) return false;
    let leftBytes = maxDiscardedBytes;
    while (leftBytes > 0 && !this.#input.ended) {
      const bytes = await this.read().catch(() => undefined);
      if (bytes === undefined) return this.#done;
      leftBytes -= bytes.length;
    }
    return false;
  }
}

async function* sized(input: SocketInput, sizeBytes: number): AsyncGenerator<Buffer, void> {
  let left = sizeBytes;
  while (left > 0) {
    const bytes = await input.read();
    if (bytes === undefined) throw cut();
    input.unread(bytes.subarray(left));
    const piece = bytes.subarray(0, left);
    left -= piece.length;
    yield piece;
  }
}

async function* chunks(input: SocketInput): AsyncGenerator<Buffer, void> {
  for (;;) {
    const [digits = ""] = (await readLine(input)).split(";");
    const size = digits.trim();
    if (!/^[0-9a-fA-F]{1,12}$/.test(size)) throw new Fault("invalid", "malformed HTTP request: a chunk's size");
    const sizeBytes = Number.parseInt(size, 16);
    if (sizeBytes === 0) break;
    yield* sized(input, sizeBytes);
    if ((await readLine(input)) !== "") throw new Fault("invalid", "malformed HTTP request: a chunk's end");
  }
  let trailerBytes = 0;
  for (let line = await readLine(input); line !== ""; line = await readLine(input)) {
    trailerBytes += line.length;
    if (trailerBytes > maxLineBytes) throw new Fault("tooLarge", "request has too many trailers");
  }
}

/** A line without its end; leaves the bytes behind it unread. */
async function readLine(input: SocketInput): Promise<string> {
  let line = Buffer.alloc(0);
  for (;;) {
    const bytes = await input.read();
    if (bytes === undefined) throw cut();
    const end = bytes.indexOf(0x0a);
    line = Buffer.concat([line, end < 0 ? bytes : bytes.subarray(0, end)]);
    if (line.length > maxLineBytes) throw new Fault("invalid", "malformed HTTP request: a line without end");
    if (end < 0) continue;
    input.unread(bytes.subarray(end + 1));
    return line.toString("latin1").replace(/\r$/, "");
  }
}

function cut(): Fault {
  return new Fault("invalid", "unexpected EOF while reading the request body");
}
