import type { Heredoc, Raw } from "./dockerfile.ts";
import { PatternError, replaceMatches, trimMatch } from "./shell-pattern.ts";
import { SyntaxFault } from "./syntax-fault.ts";

/** The value of a variable; undefined: it is not set. */
export type Lookup = (name: string) => string | undefined;

/** How a text is read; all but `escape` are off unless said. */
export interface ExpandOptions {
  /** The Dockerfile's own. */
  readonly escape: "\\" | "`";
  /** Quotes and escapes stay in the result; they still keep what they hold from being expanded or split. */
  readonly keepQuotes?: boolean;
  readonly keepEscapes?: boolean;
  /** Quotes are characters like others: in a document. */
  readonly plainQuotes?: boolean;
  /** Variables that are not set stay as they are written, instead of becoming nothing. */
  readonly keepUnset?: boolean;
}

/** Which variables a text named: those with a value, and those without one for which it gave no other (`${X:-y}` does). */
export interface NamesUsed {
  readonly used: ReadonlySet<string>;
  readonly undefined: ReadonlySet<string>;
}

/** Expands variables and takes quotes and escapes off, as the Dockerfile reference says under "Environment replacement". Faults: `SyntaxFault` at the word. */
export function expandWord(raw: Raw, lookup: Lookup, options: ExpandOptions): NamesUsed & { readonly text: string } {
  const { text, names } = expand(raw, lookup, options);
  return { text, ...names };
}

/** The same, and then split at blanks that stand outside of quotes or come out of a variable there. */
export function expandWords(
  raw: Raw,
  lookup: Lookup,
  options: ExpandOptions,
): NamesUsed & { readonly words: readonly string[] } {
  const { words, names } = expand(raw, lookup, options);
  return { words, ...names };
}

/** The text of a document that COPY or ADD writes: its quotes are its own, and a backslash takes the meaning of what follows. */
export function expandDocument(document: Heredoc, lookup: Lookup): NamesUsed & { readonly text: string } {
  if (!document.expand) return { text: document.text, used: new Set(), undefined: new Set() };
  return expandWord(document, lookup, { escape: "\\", plainQuotes: true });
}

/** Characters that one text may become; the kernel takes 128 KiB as one variable. */
const mostCharacters = 2 ** 20;

/** `${a:-${b:-…` */
const mostLevels = 50;

interface Names {
  readonly used: Set<string>;
  readonly undefined: Set<string>;
}

function expand(raw: Raw, lookup: Lookup, options: ExpandOptions): { text: string; words: string[]; names: Names } {
  const words = new WordList();
  const reader = new Reader(raw.text, lookup, options);
  try {
    const text = reader.readAll(words);
    return { text, words: words.finished(), names: reader.names };
  } catch (error) {
    if (!(error instanceof ExpansionError) && !(error instanceof PatternError)) throw error;
    const shown = JSON.stringify(raw.text.length > 200 ? `${raw.text.slice(0, 200)}…` : raw.text);
    throw new SyntaxFault(`failed to process ${shown}: ${error.message}`, raw.span, { cause: error });
  }
}

class ExpansionError extends Error {}

class Reader {
  readonly #text: string;
  readonly #lookup: Lookup;
  readonly #options: ExpandOptions;
  #at = 0;
  #level = 0;
  #left = mostCharacters;
  names: Names = { used: new Set(), undefined: new Set() };

  constructor(text: string, lookup: Lookup, options: ExpandOptions) {
    this.#text = text;
    this.#lookup = lookup;
    this.#options = options;
  }

  readAll(words: WordList): string {
    return this.#readUntil(undefined, this.#options.keepEscapes === true, words);
  }

  #readUntil(stop: string | undefined, keepEscapes: boolean, words?: WordList): string {
    if (++this.#level > mostLevels) throw new ExpansionError("syntax error: substitutions are nested too deeply");
    let result = "";
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at] ?? "";
      if (character === stop) {
        this.#at++;
        this.#level--;
        return result;
      }
      const part = this.#readPart(character, keepEscapes);
      if (part.splits) words?.addSplitting(part.text);
      else words?.add(part.text);
      result += part.text;
    }
    if (stop !== undefined) throw new ExpansionError(`syntax error: missing '${stop}'${stop === "/" ? " in ${}" : ""}`);
    this.#level--;
    return result;
  }

  #readPart(character: string, keepEscapes: boolean): { text: string; splits: boolean } {
    if (character === "$") return { text: this.#bounded(this.#readDollar()), splits: true };
    if (!this.#options.plainQuotes) {
      if (character === "'") return { text: this.#readSingleQuotes(), splits: false };
      if (character === '"') return { text: this.#readDoubleQuotes(keepEscapes), splits: false };
    }
    this.#at++;
    if (character !== this.#options.escape) return { text: character, splits: true };
    const escaped = this.#text[this.#at++] ?? "";
    return { text: keepEscapes ? character + escaped : escaped, splits: false };
  }

  #readSingleQuotes(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw new ExpansionError("unexpected end of statement while looking for matching single-quote");
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return this.#options.keepQuotes ? `'${inner}'` : inner;
  }

  #readDoubleQuotes(keepEscapes: boolean): string {
    const { escape, keepQuotes } = this.#options;
    const quote = keepQuotes ? '"' : "";
    let result = quote;
    this.#at++;
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at] ?? "";
      if (character === "$") {
        result += this.#bounded(this.#readDollar());
        continue;
      }
      this.#at++;
      if (character === '"') return result + quote;
      const next = this.#text[this.#at] ?? "";
      if (character !== escape) result += character;
      else if (next === "") break;
      else if (next === '"' || next === "$" || next === escape) {
        result += keepEscapes ? character + next : next;
        this.#at++;
      } else result += character;
    }
    throw new ExpansionError("unexpected end of statement while looking for matching double-quote");
  }

  #readDollar(): string {
    this.#at++;
    if (this.#text[this.#at] !== "{") {
      const name = this.#readName();
      return name === "" ? "$" : this.#valueOr(name, `$${name}`);
    }
    this.#at++;
    if (this.#at >= this.#text.length) throw missingBrace();
    const name = this.#readName();
    if (name === "") throw new ExpansionError("syntax error: bad substitution");
    return this.#readModifier(name);
  }

  #readModifier(name: string): string {
    const start = this.#at;
    const character = this.#text[this.#at++];
    switch (character) {
      case undefined:
        throw missingBrace();
      case "}":
        return this.#valueOr(name, `\${${name}}`);
      case ":":
      case "-":
      case "+":
      case "?":
        return this.#readAlternative(name, character);
      case "#":
      case "%":
        return this.#readTrimming(name, character, start);
      case "/":
        return this.#readReplacing(name, start);
      default:
        throw new ExpansionError(`unsupported modifier (${character}) in substitution`);
    }
  }

  /** `-`, `+` and `?`, with or without the colon that makes an empty value one that is not set. */
  #readAlternative(name: string, first: string): string {
    const modifier = first === ":" ? (this.#text[this.#at++] ?? "") : first;
    if (modifier === "") throw missingBrace();
    if (!["-", "+", "?"].includes(modifier))
      throw new ExpansionError(`unsupported modifier (${first}${modifier}) in substitution`);
    const start = this.#at;
    const outside = this.names;
    this.names = { used: new Set(), undefined: new Set() };
    const word = this.#readUntil("}", false);
    const inside = this.names;
    this.names = outside;
    const value = this.#lookup(name);
    if (value === undefined && this.#options.keepUnset === true)
      return `\${${name}${first === ":" ? ":" : ""}${modifier}${this.#text.slice(start, this.#at)}`;
    if (value !== undefined) this.names.used.add(name);
    const isMissing = value === undefined || (first === ":" && value === "");
    if (modifier === "?" && isMissing) {
      const reason = `is not allowed to be ${value === undefined ? "unset" : "empty"}`;
      throw new ExpansionError(`${name}: ${word === "" ? reason : word}`);
    }
    const takesWord = modifier === "-" ? isMissing : modifier === "+" && !isMissing;
    if (!takesWord) return modifier === "+" ? "" : (value ?? "");
    for (const each of inside.used) this.names.used.add(each);
    for (const each of inside.undefined) this.names.undefined.add(each);
    return word;
  }

  #readTrimming(name: string, character: "#" | "%", start: number): string {
    const longest = this.#text[this.#at] === character;
    if (longest) this.#at++;
    const text = this.#readUntil("}", true);
    const written = `\${${name}${this.#text.slice(start, this.#at)}`;
    const value = this.#valueOr(name, written);
    if (value === written) return value;
    return this.#withPattern(text, (pattern) =>
      trimMatch(value, pattern, character === "#" ? "start" : "end", longest),
    );
  }

  #readReplacing(name: string, start: number): string {
    const all = this.#text[this.#at] === "/";
    if (all) this.#at++;
    const text = this.#readUntil("/", true);
    const replacement = this.#readUntil("}", false);
    const written = `\${${name}${this.#text.slice(start, this.#at)}`;
    const value = this.#valueOr(name, written);
    if (value === written) return value;
    return this.#withPattern(text, (pattern) => replaceMatches(value, pattern, replacement, all));
  }

  #withPattern(text: string, apply: (pattern: { text: string; escape: string }) => string): string {
    try {
      return apply({ text, escape: this.#options.escape });
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      throw new ExpansionError(`invalid pattern (${text}) in substitution: ${error.message}`);
    }
  }

  #valueOr(name: string, written: string): string {
    const value = this.#lookup(name);
    if (value === undefined) this.names.undefined.add(name);
    else this.names.used.add(name);
    return value ?? (this.#options.keepUnset === true ? written : "");
  }

  /** A name, digits, or one of the shell's special parameters. */
  #readName(): string {
    nameForm.lastIndex = this.#at;
    const name = nameForm.exec(this.#text)?.[0] ?? "";
    this.#at += name.length;
    return name;
  }

  #bounded(text: string): string {
    this.#left -= text.length;
    if (this.#left < 0) throw new ExpansionError(`the result is longer than ${mostCharacters} characters`);
    return text;
  }
}

const nameForm = /\p{Nd}+|[@*#?\-$!]|[\p{L}_][\p{L}\p{Nd}_]*/uy;

function missingBrace(): ExpansionError {
  return new ExpansionError("syntax error: missing '}'");
}

/** Words that grow by characters and by whole parts; empty ones are none. */
class WordList {
  readonly #words: string[] = [];
  #word = "";

  add(text: string): void {
    this.#word += text;
  }

  addSplitting(text: string): void {
    const [first = "", ...others] = text.split(/\s/);
    this.#word += first;
    for (const other of others) {
      this.#end();
      this.#word = other;
    }
  }

  finished(): string[] {
    this.#end();
    return this.#words;
  }

  #end(): void {
    if (this.#word !== "") this.#words.push(this.#word);
    this.#word = "";
  }
}
