/** One token of a template's action, with its offset in the template. */
export interface Token {
  readonly kind:
    | "text"
    | "open"
    | "close"
    | "space"
    | "field" // .Name
    | "dot"
    | "variable" // $x
    | "identifier"
    | "string"
    | "number"
    | "char"
    | "pipe"
    | "paren"
    | "declare" // :=
    | "assign"
    | "comma"
    | "end";
  readonly text: string;
  readonly at: number;
}

/** A template that cannot be parsed. */
export class TemplateSyntaxError extends Error {
  override readonly name = "TemplateSyntaxError";
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const patterns: readonly (readonly [Token["kind"], RegExp])[] = [
  ["space", /[ \t\r\n]+/y],
  ["string", /"(?:[^"\\\n]|\\.)*"/y],
  ["string", /`[^`]*`/y],
  ["char", /'(?:[^'\\\n]|\\.)+'/y],
  ["number", /[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/y],
  ["declare", /:=/y],
  ["assign", /=/y],
  ["pipe", /\|/y],
  ["paren", /[()]/y],
  ["comma", /,/y],
  ["field", /\.[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ["dot", /\./y],
  ["variable", /\$[\p{L}\p{Nd}_]*/uy],
  ["identifier", /[\p{L}_][\p{L}\p{Nd}_]*/uy],
];

/** Splits a Go template into tokens; trim markers and comments are gone from the result. */
export function lexTemplate(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf("{{", at);
    const trimsBefore = open >= 0 && /^-[ \t\r\n]/.test(source.slice(open + 2, open + 4));
    let text = source.slice(at, open < 0 ? undefined : open);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, "");
    if (trimsBefore) text = text.replace(/[ \t\r\n]+$/, "");
    if (text !== "") tokens.push({ kind: "text", text, at });
    if (open < 0) break;
    const body = open + 2 + (trimsBefore ? 2 : 0);
    const action = source.startsWith("/*", body) ? skipComment(source, body) : lexAction(source, open, body, tokens);
    at = action.at;
    trimNext = action.trimNext;
  }
  tokens.push({ kind: "end", text: "", at: source.length });
  return tokens;
}

function skipComment(source: string, body: number): { at: number; trimNext: boolean } {
  const end = source.indexOf("*/", body);
  if (end < 0) throw new TemplateSyntaxError("unclosed comment", body);
  const close = /^(?:[ \t\r\n]-)?\}\}/.exec(source.slice(end + 2));
  if (close === null) throw new TemplateSyntaxError("comment ends before closing delimiter", body);
  return { at: end + 2 + close[0].length, trimNext: close[0].length > 2 };
}

function lexAction(source: string, open: number, body: number, tokens: Token[]): { at: number; trimNext: boolean } {
  tokens.push({ kind: "open", text: "{{", at: open });
  let at = body;
  let depth = 0;
  for (;;) {
    const close = /^(?:[ \t\r\n]+-)?\}\}/.exec(source.slice(at, at + 64));
    if (close !== null) {
      if (depth > 0) throw new TemplateSyntaxError("unclosed left paren", at);
      tokens.push({ kind: "close", text: "}}", at });
      return { at: at + close[0].length, trimNext: close[0].length > 2 };
    }
    if (at >= source.length) throw new TemplateSyntaxError("unclosed action", at);
    const token = tokenAt(source, at);
    if (token.text === "(") depth++;
    if (token.text === ")" && --depth < 0) throw new TemplateSyntaxError("unexpected right paren", at);
    tokens.push(token);
    at += token.text.length;
  }
}

function tokenAt(source: string, at: number): Token {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match !== null) return { kind, text: match[0], at };
  }
  const character = source.charAt(at);
  if (character === '"') throw new TemplateSyntaxError("unterminated quoted string", at);
  if (character === "`") throw new TemplateSyntaxError("unterminated raw quoted string", at);
  const code = source.codePointAt(at) ?? 0;
  throw new TemplateSyntaxError(
    `unexpected ${JSON.stringify(character)} in operand`.replace("operand", code < 0x20 ? "command" : "operand"),
    at,
  );
}
