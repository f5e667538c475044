import type { Span } from "./dockerfile.ts";

/** The place of a failure as BuildKit shows it, with a line of carets under the place itself, and the message below. */
export function showError(text: string, fileName: string, span: Span, message: string): string {
  return `${showPlace(text, fileName, span)}\n${message}`;
}

const widestLine = 300;
const mostMarked = 30;
const rule = "--------------------";

/** `Dockerfile:3`, the lines around, `>>>` at those of the place. */
function showPlace(text: string, fileName: string, { start, end }: Span): string {
  const lines = text.split("\n");
  const last = Math.min(Math.max(start.line, end.line), start.line + mostMarked, lines.length);
  const around = last > start.line ? 1 : 2;
  const shown: string[] = [];
  for (let number = Math.max(1, start.line - around); number <= Math.min(last + around, lines.length); number++) {
    const line = printable(lines[number - 1] ?? "");
    const isMarked = number >= start.line && number <= last;
    shown.push(` ${String(number).padStart(3)} | ${isMarked ? ">>>" : "   "} ${line}`);
    if (number === start.line && last === start.line) shown.push(...carets(line, start.column, end.column));
  }
  return [`${fileName}:${start.line}`, rule, ...shown, rule].join("\n");
}

function carets(line: string, start: number, end: number): string[] {
  const column = start - 1;
  const length = Math.min(end - start, line.length - column);
  if (length <= 0) return [];
  return [`     |     ${line.slice(0, column).replaceAll(/[^\t]/g, " ")}${"^".repeat(length)}`];
}

/** A Dockerfile is anybody's: what would move the cursor of a terminal is not printed. */
function printable(line: string): string {
  const clean = line
    .replace(/\r$/, "")
    .replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\uFFFD");
  return clean.length > widestLine ? `${clean.slice(0, widestLine)}…` : clean;
}
