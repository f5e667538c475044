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
    void this.#take();
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, done: (error: Error | null) => void): void {
    void this.#give(bytes, done);
  }

  async #take(): Promise<void> {
    try {
      const next = await this.#input.next();
      this.push(next.done === true ? null : next.value);
    } catch (error) {
      this.destroy(asError(error));
    }
  }

  async #give(bytes: Uint8Array, done: (error: Error | null) => void): Promise<void> {
    let failure: Error | null = null;
    try {
      await this.#stream.write(bytes);
    } catch (error) {
      failure = asError(error);
    }
    done(failure);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
