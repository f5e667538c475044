/** Reads exact counts of bytes from a stream that comes in pieces; copies only what crosses a border of pieces. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #pieces: Buffer[] = [];
  bufferedBytes = 0;
  /** Whether the source has ended (buffered bytes may be left). */
  ended = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next `count` bytes; undefined (and nothing consumed) when the source ends before. */
  async exactly(count: number): Promise<Buffer | undefined> {
    while (this.bufferedBytes < count) if (!(await this.#fill())) return undefined;
    const first = this.#pieces[0];
    if (first !== undefined && first.length >= count) return this.#take(first, count);
    const whole = Buffer.allocUnsafe(count);
    for (let at = 0; at < count;) {
      const piece = this.#pieces[0];
      if (piece === undefined) throw new Error("ByteReader lost count");
      at += this.#take(piece, Math.min(piece.length, count - at)).copy(whole, at);
    }
    return whole;
  }

  /** At least one and at most `limit` bytes, whatever is there first; undefined at the end. */
  async some(limit: number): Promise<Buffer | undefined> {
    while (this.bufferedBytes === 0) if (!(await this.#fill())) return undefined;
    const piece = this.#pieces[0];
    return piece === undefined ? undefined : this.#take(piece, Math.min(piece.length, limit));
  }

  /** Puts bytes back in front. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.unshift(asBuffer(bytes));
    this.bufferedBytes += bytes.length;
  }

  /** What is left, to the end. */
  async *rest(): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const piece = await this.some(Number.MAX_SAFE_INTEGER);
      if (piece === undefined) return;
      yield piece;
    }
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    this.ended = true;
    await this.#source.return?.();
  }

  async #fill(): Promise<boolean> {
    if (this.ended) return false;
    const next = await this.#source.next();
    if (next.done === true) {
      this.ended = true;
      return false;
    }
    if (next.value.length > 0) {
      this.#pieces.push(asBuffer(next.value));
      this.bufferedBytes += next.value.length;
    }
    return true;
  }

  #take(first: Buffer, count: number): Buffer {
    this.bufferedBytes -= count;
    if (first.length === count) {
      this.#pieces.shift();
      return first;
    }
    this.#pieces[0] = first.subarray(count);
    return first.subarray(0, count);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
