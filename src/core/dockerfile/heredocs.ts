import type { Raw, Span } from "./dockerfile.ts";
import { expandWord, expandWords, type ExpandOptions } from "./expand.ts";
import { splitFlags } from "./flags.ts";
import { Fault } from "../fault.ts";
import type { JoinedLine } from "./joined-line.ts";
import { jsonWords } from "./json-words.ts";

/** A document that a line asks for by `<<NAME`; its text stands on the lines behind. */
export interface OpenHeredoc {
  readonly name: string;
  /** `<<-`: tabs at the start of its lines do not count. */
  readonly chomps: boolean;
  /** Its name was not quoted. */
  readonly expands: boolean;
  readonly span: Span;
}

/** Whether the instruction can have documents at all: RUN, COPY and ADD in their word forms, also as triggers. */
export function mayHaveHeredocs({ keyword, rest }: { keyword: JoinedLine; rest: JoinedLine }): boolean {
  const name = keyword.text.toUpperCase();
  if (name === "ONBUILD") {
    const length = /^[^\t\v\f\r ]*/.exec(rest.text)?.[0].length ?? 0;
    const trigger = rest.slice(0, length);
    return (
      trigger.text.toUpperCase() !== "ONBUILD" &&
      mayHaveHeredocs({ keyword: trigger, rest: splitFlags(rest.slice(length)).rest })
    );
  }
  return (name === "RUN" || name === "COPY" || name === "ADD") && rest.text.includes("<<") && !isJson(rest);
}

/** The documents that the line asks for, in their order. Quotes that do not close make it a line without any. */
export function heredocsIn(line: JoinedLine): OpenHeredoc[] {
  try {
    return expandWords(line.raw, unset, asWritten).words.flatMap(
      (word) => heredocOf({ text: word, span: line.span }) ?? [],
    );
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
}

/** The document that this word asks for; undefined when it is another word. */
export function heredocOf(word: Raw): OpenHeredoc | undefined {
  const [, dash, rest = ""] = /^\d*<<(-?)([^<]+)$/.exec(word.text) ?? [];
  if (dash === undefined) return undefined;
  const raw = { text: rest, span: word.span };
  const { words } = expandWords(raw, unset, { escape: "\\", keepUnset: true });
  const [name] = words;
  if (name === undefined || words.length !== 1) return undefined;
  const quoted = expandWord(raw, unset, { escape: "\\", keepUnset: true, keepQuotes: true }).text;
  return { name, chomps: dash === "-", expands: quotesIn(name) === quotesIn(quoted), span: word.span };
}

const asWritten: ExpandOptions = { escape: "\\", keepQuotes: true, keepEscapes: true, keepUnset: true };

function unset(): undefined {
  return undefined;
}

function isJson(rest: JoinedLine): boolean {
  try {
    return jsonWords(rest) !== undefined;
  } catch {
    return true;
  }
}

function quotesIn(text: string): number {
  return text.replaceAll(/[^'"]/g, "").length;
}
