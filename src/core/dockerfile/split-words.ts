import type { JoinedLine } from "./joined-line.ts";

/** Splits at blanks as ARG, ENV and LABEL do: quotes and escapes keep blanks in a word, and stay in it. */
export function splitWords(line: JoinedLine, escape: string): JoinedLine[] {
  const { text } = line;
  const words: JoinedLine[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && isBlank(text, at)) at++;
    if (at >= text.length) return words;
    const start = at;
    at = endOfWord(text, at, escape);
    // An escape with nothing behind it is not part of the word.
    const isLoose = at === text.length && endsInLooseEscape(text, start, escape);
    if (at - start > (isLoose ? 1 : 0)) words.push(line.slice(start, isLoose ? at - 1 : at));
  }
}

/** Splits at blanks and at nothing else, as FROM, EXPOSE, COPY and VOLUME do. */
export function splitAtBlanks(line: JoinedLine): JoinedLine[] {
  return Array.from(line.text.matchAll(/[^\t\v\f\r ]+/g), ({ index, 0: word }) =>
    line.slice(index, index + word.length),
  );
}

function isBlank(text: string, at: number): boolean {
  return /\s/.test(text[at] ?? "");
}

function endOfWord(text: string, start: number, escape: string): number {
  let quote = "";
  for (let at = start; at < text.length; at++) {
    const character = text[at] ?? "";
    if (quote === "" && isBlank(text, at)) return at;
    if (character === escape && quote !== "'") at++;
    else if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
  }
  return text.length;
}

function endsInLooseEscape(text: string, start: number, escape: string): boolean {
  let count = 0;
  for (let at = text.length - 1; at >= start && text[at] === escape; at--) count++;
  return count % 2 === 1;
}
