/** Lines that wait; of too many the last ones stay. */
export class ClippedLines {
  #lines: string[] = [];
  #bytes = 0;
  #clippedBytes = 0;

  /** Adds a line where `roomBytes` are left, dropping the oldest of these lines to make room; answers by how much the waiting bytes grew. */
  add(line: string, roomBytes: number): number {
    const before = this.#bytes;
    const bytes = Buffer.byteLength(line);
    this.#lines.push(line);
    this.#bytes += bytes;
    while (this.#bytes - before > roomBytes && this.#lines.length > 0) {
      const dropped = Buffer.byteLength(this.#lines.shift() ?? "");
      this.#bytes -= dropped;
      this.#clippedBytes += dropped;
    }
    return this.#bytes - before;
  }

  /** All that waits; nothing does after it. */
  take(): { readonly lines: readonly string[]; readonly bytes: number; readonly clippedBytes: number } {
    const taken = { lines: this.#lines, bytes: this.#bytes, clippedBytes: this.#clippedBytes };
    this.#lines = [];
    this.#bytes = 0;
    this.#clippedBytes = 0;
    return taken;
  }
}
