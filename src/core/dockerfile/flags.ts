import type { Raw } from "./dockerfile.ts";
import type { JoinedLine } from "./joined-line.ts";
import { suggestion } from "./likely-word.ts";
import { SyntaxFault } from "./syntax-fault.ts";

/** What a flag takes: one value, several (it may be repeated), or true and false. */
export type FlagForm = "one" | "several" | "boolean";

/** Takes the `--name=value` words off the front; their quotes and backslashes are read here. `--` ends them. */
export function splitFlags(line: JoinedLine): { flags: Raw[]; rest: JoinedLine } {
  const { text } = line;
  const flags: Raw[] = [];
  let at = 0;
  for (;;) {
    at = endOfBlanks(text, at);
    if (!text.startsWith("--", at)) return { flags, rest: line.slice(at).trim() };
    const word = flagAt(text, at);
    const raw: Raw = { text: word.text, span: line.slice(at, word.end).span };
    at = word.end;
    if (word.text === "--") return { flags, rest: line.slice(at).trim() };
    flags.push(raw);
  }
}

/** Flags by name, checked against what the instruction knows; values keep their place. Faults: in BuildKit's words. */
export function readFlags<Name extends string>(
  written: readonly Raw[],
  known: Readonly<Record<Name, FlagForm>>,
): ReadonlyMap<Name, readonly Raw[]> {
  const found = new Map<Name, Raw[]>();
  for (const flag of written) {
    const { name, value } = splitFlag(flag);
    if (!Object.hasOwn(known, name)) {
      const hint = suggestion(name, Object.keys(known));
      throw new SyntaxFault(`unknown flag: --${name}${hint}`, flag.span);
    }
    const form = known[name as Name];
    const before = found.get(name as Name);
    if (before !== undefined && form !== "several")
      throw new SyntaxFault(`duplicate flag specified: --${name}`, flag.span);
    const checked = checkedValue(flag, name, value, form);
    if (before === undefined) found.set(name as Name, [checked]);
    else before.push(checked);
  }
  return found;
}

/** Whether a boolean flag is there and true; undefined when it is not there. */
export function truthOf(values: readonly Raw[] | undefined): boolean | undefined {
  return values?.[0] === undefined ? undefined : values[0].text === "true";
}

function endOfBlanks(text: string, start: number): number {
  let at = start;
  while (at < text.length && /\s/.test(text[at] ?? "")) at++;
  return at;
}

function flagAt(text: string, start: number): { text: string; end: number } {
  let [word, quote, at] = ["", "", start];
  for (; at < text.length; at++) {
    const character = text[at] ?? "";
    if (quote === "" && /\s/.test(character)) break;
    if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else if (character === "\\") word += text[++at] ?? "";
    else word += character;
  }
  return { text: word, end: at };
}

function splitFlag(flag: Raw): { name: string; value: Raw | undefined } {
  const equals = flag.text.indexOf("=");
  if (equals < 0) return { name: flag.text.slice(2), value: undefined };
  const { start, end } = flag.span;
  const column = Math.min(start.column + equals + 1, start.line === end.line ? end.column : Number.MAX_SAFE_INTEGER);
  const span = { start: { line: start.line, column }, end };
  return { name: flag.text.slice(2, equals), value: { text: flag.text.slice(equals + 1), span } };
}

function checkedValue(flag: Raw, name: string, value: Raw | undefined, form: FlagForm): Raw {
  if (form === "boolean") {
    if (value === undefined) return { text: "true", span: flag.span };
    const truth = value.text.toLowerCase();
    if (truth === "true" || truth === "false") return { text: truth, span: value.span };
    if (truth !== "")
      throw new SyntaxFault(`expecting boolean value for flag --${name}, not: ${value.text}`, value.span);
  }
  if (value === undefined || form === "boolean") throw new SyntaxFault(`missing a value on flag: --${name}`, flag.span);
  return value;
}
