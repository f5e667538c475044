import { parseGoBoolean } from "../go-boolean.ts";
import type { Dockerfile, Raw } from "./dockerfile.ts";
import { SyntaxFault } from "./syntax-fault.ts";

/** What the parser directives at the top of a file say, and how many lines they take. */
export interface Directives {
  readonly escape: Dockerfile["escape"];
  readonly directives: Dockerfile["directives"];
  readonly lines: number;
}

/** Reads `# name=value` comments as long as each line is one of them. Faults: one said twice, a value that cannot be. */
export function readDirectives(lines: readonly string[]): Directives {
  const found = new Map<string, Raw>();
  let count = 0;
  for (const line of lines) {
    const directive = directiveOf(line, count + 1);
    if (directive === undefined) break;
    const { name, value } = directive;
    if (found.has(name)) throw new SyntaxFault(`only one ${name} parser directive can be used`, value.span);
    found.set(name, value);
    count++;
  }
  const [syntax, escape, check] = [found.get("syntax"), found.get("escape"), found.get("check")];
  return {
    escape: escape === undefined ? "\\" : escapeOf(escape),
    directives: { ...(syntax !== undefined && { syntax }), ...(check !== undefined && { check: checkOf(check) }) },
    lines: count,
  };
}

const known = new Set(["syntax", "escape", "check"]);

function directiveOf(line: string, number: number): { name: string; value: Raw } | undefined {
  const [, before, word = "", rest = ""] = /^(\s*#\s*)([a-zA-Z][a-zA-Z0-9]*)\s*=([^]*)$/.exec(line) ?? [];
  const name = word.toLowerCase();
  const text = rest.trim();
  if (before === undefined || text === "" || !known.has(name)) return undefined;
  const start = line.length - rest.trimStart().length + 1;
  const position = { line: number, column: start };
  return { name, value: { text, span: { start: position, end: { line: number, column: start + text.length } } } };
}

function escapeOf({ text, span }: Raw): Dockerfile["escape"] {
  if (text === "\\" || text === "`") return text;
  throw new SyntaxFault(`invalid escape token '${text}' does not match \` or \\`, span);
}

/** `skip=A,B;error=true;experimental=C`; `all` stands for every rule. */
function checkOf({ text, span }: Raw): NonNullable<Dockerfile["directives"]["check"]> {
  let skip: readonly string[] | "all" = [];
  let error = false;
  let experimental: readonly string[] = [];
  for (const option of text.split(";")) {
    const [name = "", value] = option.split(/=([^]*)/).map((part) => part.trim());
    if (value === undefined) throw new SyntaxFault(`invalid check option ${JSON.stringify(option)}`, span);
    if (name === "skip") skip = value === "all" ? "all" : ruleNames(value);
    else if (name === "experimental") experimental = ruleNames(value);
    else if (name === "error") error = truthOf(value, option, span);
    else throw new SyntaxFault(`invalid check option ${JSON.stringify(name)}`, span);
  }
  return { skip, error, experimental };
}

function ruleNames(text: string): string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function truthOf(value: string, option: string, span: Raw["span"]): boolean {
  const truth = parseGoBoolean(value);
  if (truth !== undefined) return truth;
  throw new SyntaxFault(`failed to parse check option ${JSON.stringify(option)}: invalid syntax`, span);
}
