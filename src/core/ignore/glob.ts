import { Fault } from "../fault.ts";

/** A pattern that is ready to be asked; no pattern makes it try the same twice. */
export interface Glob {
  matches(path: string): boolean;
}

/**
 * How `**` is read: `deep` as .dockerignore, `--exclude` and `--parents` do (any number of folders, none too), `flat` as
 * Go's filepath.Match does (two stars are one).
 */
export type StarRule = "deep" | "flat";

/**
 * Compiles a pattern of Go's filepath.Match: `*` and `?` stop at slashes, `[a-z]`, `[^a-z]`, `\x`. Fault `invalid` with
 * Go's words for one that is malformed. A class never matches a slash.
 */
export function compileGlob(pattern: string, rule: StarRule): Glob {
  const tokens = tokenize(pattern, rule);
  const literal = literalOf(tokens);
  if (literal !== undefined) return { matches: (path) => path === literal };
  return quickGlob(tokens) ?? { matches: (path) => matchTokens(tokens, path) };
}

/** Whether there is anything in the text that stands for more than itself. */
export function hasWildcards(pattern: string): boolean {
  return /^(?:[^\\*?[]|\\[\s\S]?)*[*?[]/.test(pattern);
}

/** The text without the backslashes that keep a character from being special. */
export function unescapeGlob(pattern: string): string {
  return pattern.replaceAll(/\\([\s\S])/g, "$1");
}

/** A pattern that is that text alone. */
export function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, (character) => `\\${character}`);
}

/** `folders`: nothing, or anything that ends in a slash; `rest`: anything. */
type Token =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "class"; readonly ranges: readonly (readonly [number, number])[]; readonly negated: boolean }
  | { readonly kind: "any" | "star" | "folders" | "rest" };

function tokenize(pattern: string, rule: StarRule): Token[] {
  const tokens: Token[] = [];
  let text = "";
  const push = (token: Token): void => {
    if (text !== "") tokens.push({ kind: "text", text });
    text = "";
    tokens.push(token);
  };
  for (let at = 0; at < pattern.length;) {
    const character = pattern[at] ?? "";
    at++;
    if (character === "*" && rule === "deep" && pattern[at] === "*") {
      at++;
      if (pattern[at] === "/") at++;
      push({ kind: at === pattern.length ? "rest" : "folders" });
    } else if (character === "*") push({ kind: "star" });
    else if (character === "?") push({ kind: "any" });
    else if (character === "[") {
      const read = readClass(pattern, at);
      at = read.end;
      push(read.token);
    } else if (character === "\\") {
      if (at === pattern.length) throw malformed(pattern);
      text += pattern[at];
      at++;
    } else text += character;
  }
  if (text !== "") tokens.push({ kind: "text", text });
  return tokens;
}

function readClass(pattern: string, start: number): { readonly token: Token; readonly end: number } {
  let at = start;
  const negated = pattern[at] === "^";
  if (negated) at++;
  const ranges: [number, number][] = [];
  const next = (): number => {
    const first = pattern[at];
    if (first === undefined || first === "-" || first === "]") throw malformed(pattern);
    if (first === "\\") at++;
    const point = pattern.codePointAt(at);
    if (point === undefined) throw malformed(pattern);
    at += point > 0xffff ? 2 : 1;
    return point;
  };
  while (ranges.length === 0 || pattern[at] !== "]") {
    const low = next();
    let high = low;
    if (pattern[at] === "-") {
      at++;
      high = next();
    }
    ranges.push([low, high]);
  }
  return { token: { kind: "class", ranges, negated }, end: at + 1 };
}

function literalOf(tokens: readonly Token[]): string | undefined {
  const [first, second] = tokens;
  if (first === undefined) return "";
  return second === undefined && first.kind === "text" ? first.text : undefined;
}

/** The commonest forms without a walk over the path: `folder/**`, `**` + text, `**` + `/*.ending`. */
function quickGlob(tokens: readonly Token[]): Glob | undefined {
  const [first, second, third] = tokens;
  if (first?.kind === "rest" && second === undefined) return { matches: () => true };
  if (first?.kind === "text" && second?.kind === "rest" && third === undefined)
    return { matches: (path) => path.startsWith(first.text) };
  if (first?.kind === "folders" && second?.kind === "text" && third === undefined)
    return { matches: (path) => endsWithName(path, second.text) };
  if (
    first?.kind === "folders" &&
    second?.kind === "star" &&
    third?.kind === "text" &&
    tokens.length === 3 &&
    !third.text.includes("/")
  )
    return { matches: (path) => path.endsWith(third.text) };
  return undefined;
}

function endsWithName(path: string, name: string): boolean {
  if (!path.endsWith(name)) return false;
  const before = path.length - name.length;
  return before === 0 || path[before - 1] === "/";
}

/** Tries what a star can stand for, shortest first, and remembers from where the rest of the pattern has failed already. */
function matchTokens(tokens: readonly Token[], path: string): boolean {
  const failed = new Set<number>();
  const matchFrom = (token: number, at: number): boolean => {
    const place = token * (path.length + 1) + at;
    if (failed.has(place)) return false;
    const matched = matchRest(token, at);
    if (!matched) failed.add(place);
    return matched;
  };
  const matchRest = (first: number, start: number): boolean => {
    let at = start;
    for (let index = first; index < tokens.length; index++) {
      const token = tokens[index];
      if (token === undefined || token.kind === "rest") return true; // which is always the last one
      if (token.kind === "star" || token.kind === "folders") {
        for (let end: number | undefined = at; end !== undefined; end = nextEnd(token.kind, path, end))
          if (matchFrom(index + 1, end)) return true;
        return false;
      }
      const length = matchOne(token, path, at);
      if (length < 0) return false;
      at += length;
    }
    return at === path.length;
  };
  return matchRest(0, 0);
}

/** Where what a star stands for can end next. */
function nextEnd(kind: "star" | "folders", path: string, end: number): number | undefined {
  if (kind === "folders") {
    const slash = path.indexOf("/", end);
    return slash < 0 ? undefined : slash + 1;
  }
  const point = path.codePointAt(end);
  return point === undefined || point === 0x2f ? undefined : end + (point > 0xffff ? 2 : 1);
}

/** How much of the path the token takes there; -1: it does not match. */
function matchOne(token: Token, path: string, at: number): number {
  if (token.kind === "text") return path.startsWith(token.text, at) ? token.text.length : -1;
  const point = path.codePointAt(at);
  if (point === undefined || point === 0x2f) return -1;
  const length = point > 0xffff ? 2 : 1;
  if (token.kind !== "class") return length;
  const found = token.ranges.some(([low, high]) => point >= low && point <= high);
  return found === token.negated ? -1 : length;
}

function malformed(pattern: string): Fault {
  return new Fault("invalid", `${JSON.stringify(pattern)}: syntax error in pattern`);
}
