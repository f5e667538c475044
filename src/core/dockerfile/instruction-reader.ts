import type { Heredoc, Raw, Span, Warning } from "./dockerfile.ts";
import { splitFlags } from "./flags.ts";
import { heredocsIn, mayHaveHeredocs, type OpenHeredoc } from "./heredocs.ts";
import { JoinedLine, type Piece } from "./joined-line.ts";
import { warningOf } from "./lint/rules.ts";
import { SyntaxFault } from "./syntax-fault.ts";

/** An instruction taken apart as far as all of them are alike. */
export interface Written {
  /** As it is written: `from`. */
  readonly keyword: JoinedLine;
  readonly flags: readonly Raw[];
  /** Behind keyword and flags, without blanks at its ends. */
  readonly rest: JoinedLine;
  readonly documents: readonly Heredoc[];
  /** The documents with their last lines, as they stand in the file. */
  readonly documentsText: string;
  /** Comments right above, without `#`. */
  readonly comments: readonly string[];
  readonly span: Span;
  readonly original: string;
  readonly escape: "\\" | "`";
}

/** Takes keyword and flags off a joined line. */
export function takeApart(line: JoinedLine): Pick<Written, "keyword" | "flags" | "rest"> {
  const length = /^[^\t\v\f\r ]*/.exec(line.text)?.[0].length ?? 0;
  return { keyword: line.slice(0, length), ...splitFlags(line.slice(length)) };
}

/** What every instruction has. */
export function placeOf({ span, original }: Written): Pick<Written, "span" | "original"> {
  return { span, original };
}

/** A layer is made of most of them, and an image has 127 at the most. */
const mostInstructions = 10_000;

/** Longest line, as BuildKit reads them. */
const mostLineCharacters = 65_535;

/** Reads the instructions of a file, line by line. `skip` lines at the top are directives. */
export class InstructionReader {
  readonly warnings: Warning[] = [];
  readonly #lines: readonly string[];
  readonly #escape: "\\" | "`";
  #next: number;

  constructor(lines: readonly string[], escape: "\\" | "`", skip: number) {
    this.#lines = lines;
    this.#escape = escape;
    this.#next = skip;
  }

  /** All of them. Faults: `SyntaxFault`. */
  readAll(): Written[] {
    const all: Written[] = [];
    let comments: string[] = [];
    while (this.#next < this.#lines.length) {
      const line = withoutLineEnd(this.#lines[this.#next] ?? "").trimStart();
      if (line === "" || line.startsWith("#")) {
        const comment = line.slice(1).trim();
        if (comment === "") comments = [];
        else comments.push(comment);
        this.#next++;
        continue;
      }
      const written = this.#readInstruction(comments);
      if (written === undefined) continue;
      if (all.length === mostInstructions)
        throw new SyntaxFault(`dockerfile with more than ${mostInstructions} instructions`, written.span);
      all.push(written);
      comments = [];
    }
    return all;
  }

  #readInstruction(comments: readonly string[]): Written | undefined {
    const line = this.#readJoined().trim();
    if (line.text === "") return undefined;
    const apart = takeApart(line);
    const open = mayHaveHeredocs(apart) ? heredocsIn(line) : [];
    const first = this.#next;
    const documents = open.map((each) => this.#readDocument(each, line));
    const { start, end } = line.span;
    return {
      ...apart,
      documents,
      documentsText: this.#lines
        .slice(first, this.#next)
        .join("")
        .replace(/\r?\n$/, ""),
      comments,
      span: { start, end: documents.length === 0 ? end : this.#endOfLine(this.#next - 1) },
      original: line.text,
      escape: this.#escape,
    };
  }

  #readJoined(): JoinedLine {
    const pieces: Piece[] = [];
    const parts: string[] = [];
    const empty: number[] = [];
    let offset = 0;
    for (let isOpen = true; isOpen && this.#next < this.#lines.length; this.#next++) {
      const line = this.#lineAt(this.#next);
      const isInside = pieces.length > 0;
      if (isInside && /^\s*#/.test(line)) continue;
      if (isInside && line.trim() === "") {
        empty.push(this.#next);
        continue;
      }
      const part = withoutContinuation(line, this.#escape);
      isOpen = part !== undefined;
      pieces.push({ offset, position: { line: this.#next + 1, column: 1 } });
      parts.push(part ?? line);
      offset += (part ?? line).length;
    }
    for (const index of empty.slice(0, mostWarnings))
      this.warnings.push(warningOf("NoEmptyContinuation", "Empty continuation line", this.#spanOfLine(index)));
    return new JoinedLine(parts.join(""), pieces);
  }

  #readDocument(open: OpenHeredoc, line: JoinedLine): Heredoc {
    const first = this.#next;
    for (; this.#next < this.#lines.length; this.#next++) {
      const text = this.#lineAt(this.#next);
      if ((open.chomps ? text.replace(/^\t+/, "") : text) !== open.name) continue;
      const lines = this.#lines.slice(first, this.#next);
      this.#next++;
      const position = { line: first + 1, column: 1 };
      return {
        name: open.name,
        text: (open.chomps ? lines.map((each) => each.replace(/^\t+/, "")) : lines).join(""),
        expand: open.expands,
        span: { start: position, end: lines.length === 0 ? position : this.#endOfLine(first + lines.length - 1) },
      };
    }
    throw new SyntaxFault("unterminated heredoc", open.span ?? line.span, {
      remedy: `Close it by a line that is ${open.name} and nothing else.`,
    });
  }

  #lineAt(index: number): string {
    const line = withoutLineEnd(this.#lines[index] ?? "");
    if (line.length <= mostLineCharacters) return line;
    const message = `dockerfile line greater than max allowed size of ${mostLineCharacters}`;
    const start = { line: index + 1, column: 1 };
    throw new SyntaxFault(message, { start, end: { line: index + 1, column: 2 } });
  }

  #spanOfLine(index: number): Span {
    return { start: { line: index + 1, column: 1 }, end: this.#endOfLine(index) };
  }

  #endOfLine(index: number): Span["end"] {
    return { line: index + 1, column: withoutLineEnd(this.#lines[index] ?? "").length + 1 };
  }
}

/** Of one instruction. */
const mostWarnings = 100;

function withoutLineEnd(line: string): string {
  let end = line.length;
  while (line[end - 1] === "\n" || line[end - 1] === "\r") end--;
  return line.slice(0, end);
}

/** What stands before the escape that ends the line; undefined when it does not continue. An escaped escape does not count. */
function withoutContinuation(line: string, escape: string): string | undefined {
  let end = line.length;
  while (line[end - 1] === " " || line[end - 1] === "\t") end--;
  return line[end - 1] === escape && line[end - 2] !== escape ? line.slice(0, end - 1) : undefined;
}
