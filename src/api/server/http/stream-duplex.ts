import { Duplex } from "node:stream";
import type { RawStream } from "./raw-stream.ts";

/** A hijacked connection as node's Duplex, for libraries that want one. Its end is the client's half-close; `finish` tells that the library has said all. */
export class StreamDuplex extends Duplex {
  readonly #stream: RawStream;
  readonly #input: AsyncIterator<Uint8Array>;

  constructor(stream: RawStream) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    this.#input = stream.input[Symbol.asyncIterator]();
    const onGone = (): void => void this.destroy();
    stream.signal.addEventListener("abort", onGone, { once: true });
    this.once("close", () => stream.signal.removeEventListener("abort", onGone));
    if (stream.signal.aborted) this.destroy();
  }

  override _read(): void {
    this.#input.next().then(
      ({ done, value }) => this.push(done === true ? null : value),
      (error: unknown) => this.destroy(asError(error)),
    );
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#stream.write(bytes).then(
      () => done(),
      (error: unknown) => done(asError(error)),
    );
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
