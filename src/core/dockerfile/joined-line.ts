import type { Position, Raw, Span } from "./dockerfile.ts";

/** A piece of a joined line: the text from `offset` on stands in the file at that position, up to the next piece. */
export interface Piece {
  readonly offset: number;
  readonly position: Position;
}

/** An instruction's line, its continuations joined, or a part of it; each character still knows where it stands in the file. */
export class JoinedLine {
  readonly text: string;
  readonly #pieces: readonly Piece[];
  readonly #offset: number;

  /** `pieces` in order, the first of them at 0; `offset` is where this text begins among them. */
  constructor(text: string, pieces: readonly Piece[], offset = 0) {
    this.text = text;
    this.#pieces = pieces;
    this.#offset = offset;
  }

  /** That part of it. */
  slice(start: number, end = this.text.length): JoinedLine {
    return new JoinedLine(this.text.slice(start, end), this.#pieces, this.#offset + start);
  }

  /** Without the blanks at both ends. */
  trim(): JoinedLine {
    const start = this.text.length - this.text.trimStart().length;
    return this.slice(start, Math.max(start, this.text.trimEnd().length));
  }

  /** All of it, as a value. */
  get raw(): Raw {
    return { text: this.text, span: this.span };
  }

  /** Where it stands. */
  get span(): Span {
    const start = this.#positionOf(0);
    if (this.text === "") return { start, end: start };
    const { line, column } = this.#positionOf(this.text.length - 1);
    return { start, end: { line, column: column + 1 } };
  }

  #positionOf(index: number): Position {
    const offset = this.#offset + index;
    let [low, high] = [0, this.#pieces.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#pieces[middle]?.offset ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const piece = this.#pieces[low];
    if (piece === undefined) return { line: 1, column: 1 };
    return { line: piece.position.line, column: piece.position.column + offset - piece.offset };
  }
}
