import { Fault } from "#core/fault";

const newline = 0x0a;

/** Cuts a stream of bytes into lines of at most `maxBytes`. Fault `tooLarge` beyond. */
export class JsonLines {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that this chunk completes, parsed. Fault `invalid` for one that is no JSON. */
  *push(chunk: Buffer): Generator {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      this.#keep(chunk.subarray(start, end));
      yield parse(Buffer.concat(this.#pieces).toString("utf8"));
      this.#pieces = [];
      this.#bytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  #keep(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes > this.#maxBytes) throw new Fault("tooLarge", `a line of more than ${this.#maxBytes} bytes`);
    this.#pieces.push(piece);
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (error) {
    throw new Fault("invalid", "a line that is no JSON", { cause: error });
  }
}
