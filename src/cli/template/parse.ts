import { lexTemplate, TemplateSyntaxError, type Token } from "./lex.ts";
import { unquote } from "./quote.ts";
import { GoFloat, type Value } from "./value.ts";

/** A piece of a parsed template. */
export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipe: Pipe }
  | {
      readonly kind: "if" | "with";
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly kind: "range"; readonly pipe: Pipe; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: "break" | "continue" };

/** Commands joined by `|`, perhaps stored in variables. */
export interface Pipe {
  readonly variables: readonly string[];
  readonly assign: boolean;
  readonly commands: readonly Command[];
}

/** One command: a function, method or value with its arguments. */
export interface Command {
  readonly operands: readonly Operand[];
  /** As it was written. */
  readonly source: string;
}

/** A value inside a command; `at` (where Go says that a mistake is) and `source` are for messages. */
export interface Operand {
  readonly start: number;
  readonly at: number;
  readonly source: string;
  readonly base:
    | { readonly kind: "dot" }
    | { readonly kind: "variable"; readonly name: string }
    | { readonly kind: "function"; readonly name: string }
    | { readonly kind: "constant"; readonly value: Value; readonly isNil?: boolean }
    | { readonly kind: "pipe"; readonly pipe: Pipe };
  readonly fields: readonly string[];
}

/** Parses a Go template; throws TemplateSyntaxError. `knows` says which functions there are. */
export function parseTemplate(source: string, knows: (name: string) => boolean): readonly Node[] {
  const parser = new Parser(lexTemplate(source), source, knows);
  const { nodes, stop } = parser.list();
  if (stop !== "end-of-template") throw new TemplateSyntaxError(`unexpected {{${stop}}}`, parser.at);
  return nodes;
}

type Stop = "end-of-template" | "end" | "else";

class Parser {
  readonly #tokens: readonly Token[];
  readonly #source: string;
  readonly #knows: (name: string) => boolean;
  readonly #variables: string[] = ["$"];
  #index = 0;
  #loops = 0;

  constructor(tokens: readonly Token[], source: string, knows: (name: string) => boolean) {
    this.#tokens = tokens;
    this.#source = source;
    this.#knows = knows;
  }

  get at(): number {
    return this.#peek().at;
  }

  list(): { nodes: Node[]; stop: Stop } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === "end") return { nodes, stop: "end-of-template" };
      if (token.kind === "text") {
        nodes.push({ kind: "text", text: token.text });
        continue;
      }
      this.#skipSpace();
      const keyword = this.#peek();
      const stop = keyword.kind === "identifier" ? this.#keyword(keyword.text, nodes) : this.#action(nodes);
      if (stop !== undefined) return { nodes, stop };
    }
  }

  #keyword(word: string, nodes: Node[]): Stop | undefined {
    switch (word) {
      case "if":
      case "with":
      case "range":
        this.#take();
        nodes.push(this.#control(word));
        return undefined;
      case "end":
        this.#take();
        this.#close("end");
        return "end";
      case "else":
        this.#take();
        return "else";
      case "break":
      case "continue":
        this.#take();
        if (this.#loops === 0) throw new TemplateSyntaxError(`{{${word}}} outside {{range}}`, this.at);
        this.#close(word);
        nodes.push({ kind: word });
        return undefined;
      case "template":
      case "define":
      case "block":
        throw new TemplateSyntaxError(`{{${word}}} is not supported in a format`, this.at);
      default:
        return this.#action(nodes);
    }
  }

  #action(nodes: Node[]): undefined {
    nodes.push({ kind: "action", pipe: this.#pipe("command", "close") });
    return undefined;
  }

  #control(kind: "if" | "with" | "range"): Node {
    const depth = this.#variables.length;
    if (kind === "range") this.#loops++;
    const pipe = this.#pipe(kind, "close");
    const body = this.list();
    if (kind === "range") this.#loops--;
    let otherwise: readonly Node[] = [];
    let stop = body.stop;
    if (stop === "else") {
      this.#skipSpace();
      const next = this.#peek();
      if (next.kind === "identifier" && next.text === kind && kind !== "range") {
        this.#take();
        otherwise = [this.#control(kind)];
        stop = "end";
      } else {
        this.#close("else");
        ({ nodes: otherwise, stop } = this.list());
      }
    }
    if (stop !== "end")
      throw new TemplateSyntaxError(stop === "else" ? "expected end; found {{else}}" : "unexpected EOF", this.at);
    this.#variables.length = depth;
    return { kind, pipe, body: body.nodes, otherwise };
  }

  #pipe(context: string, until: "close" | "paren"): Pipe {
    this.#skipSpace();
    const { variables, assign } = this.#declaration(context);
    const commands: Command[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token.kind === until && token.text !== "(") {
        this.#take();
        break;
      }
      if (token.kind === "pipe") {
        if (commands.length === 0) throw new TemplateSyntaxError(`missing value for ${context}`, token.at);
        this.#take();
        this.#skipSpace();
        if (this.#peek().kind === "close" || this.#peek().text === ")") {
          throw new TemplateSyntaxError(`missing value for ${context}`, token.at);
        }
      }
      commands.push(this.#command());
    }
    if (commands.length === 0) throw new TemplateSyntaxError(`missing value for ${context}`, this.at);
    for (const [index, command] of commands.entries()) {
      const first = command.operands[0];
      if (index > 0 && first?.base.kind === "constant") {
        throw new TemplateSyntaxError(`non executable command in pipeline stage ${index + 1}`, first.at);
      }
    }
    this.#variables.push(...variables);
    return { variables, assign, commands };
  }

  #declaration(context: string): { variables: string[]; assign: boolean } {
    const start = this.#index;
    const variables: string[] = [];
    while (this.#peek().kind === "variable") {
      variables.push(this.#take().text);
      this.#skipSpace();
      const token = this.#peek();
      if (token.kind === "declare" || token.kind === "assign") {
        this.#take();
        for (const name of token.kind === "assign" ? variables : []) this.#checkVariable(name, token.at);
        return { variables, assign: token.kind === "assign" };
      }
      if (token.kind !== "comma" || context !== "range" || variables.length === 2) break;
      this.#take();
      this.#skipSpace();
    }
    this.#index = start;
    return { variables: [], assign: false };
  }

  #command(): Command {
    const operands: Operand[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token.kind === "pipe" || token.kind === "close" || token.text === ")") break;
      operands.push(this.#operand());
    }
    if (operands.length === 0) throw new TemplateSyntaxError("empty command", this.at);
    const start = operands[0]?.start ?? this.at;
    return { operands, source: this.#source.slice(start, this.at).trim() };
  }

  #operand(): Operand {
    const token = this.#take();
    const base = this.#base(token);
    const fields: string[] = token.kind === "field" ? [token.text.slice(1)] : [];
    const at = this.#peek().kind === "field" ? this.at : token.at;
    while (this.#peek().kind === "field") fields.push(this.#take().text.slice(1));
    const source = this.#source.slice(token.at, this.at);
    return { start: token.at, at, source, base, fields };
  }

  #base(token: Token): Operand["base"] {
    switch (token.kind) {
      case "dot":
      case "field":
        return { kind: "dot" };
      case "variable":
        this.#checkVariable(token.text, token.at);
        return { kind: "variable", name: token.text };
      case "identifier":
        return this.#word(token);
      case "string":
        return { kind: "constant", value: unquote(token.text) };
      case "char":
        return { kind: "constant", value: unquote(`"${token.text.slice(1, -1)}"`).codePointAt(0) ?? 0 };
      case "number":
        return { kind: "constant", value: numberOf(token.text) };
      case "paren":
        if (token.text === "(") return { kind: "pipe", pipe: this.#pipe("parenthesized pipeline", "paren") };
        throw new TemplateSyntaxError(`unexpected ${JSON.stringify(token.text)} in operand`, token.at);
      default:
        throw new TemplateSyntaxError(`unexpected ${JSON.stringify(token.text)} in operand`, token.at);
    }
  }

  #word(token: Token): Operand["base"] {
    if (token.text === "true" || token.text === "false") return { kind: "constant", value: token.text === "true" };
    if (token.text === "nil") return { kind: "constant", value: null, isNil: true };
    if (this.#knows(token.text)) return { kind: "function", name: token.text };
    throw new TemplateSyntaxError(`function ${JSON.stringify(token.text)} not defined`, token.at);
  }

  #checkVariable(name: string, at: number): void {
    if (!this.#variables.includes(name))
      throw new TemplateSyntaxError(`undefined variable ${JSON.stringify(name)}`, at);
  }

  #close(context: string): void {
    this.#skipSpace();
    const token = this.#take();
    if (token.kind !== "close")
      throw new TemplateSyntaxError(`unexpected ${JSON.stringify(token.text)} in ${context}`, token.at);
  }

  #skipSpace(): void {
    while (this.#peek().kind === "space") this.#index++;
  }

  #peek(): Token {
    return this.#tokens[this.#index] ?? { kind: "end", text: "", at: this.#source.length };
  }

  #take(): Token {
    const token = this.#peek();
    this.#index++;
    return token;
  }
}

function numberOf(text: string): Value {
  const plain = text.replaceAll("_", "");
  const negative = plain.startsWith("-");
  const value = Number(plain.replace(/^[+-]/, "")) * (negative ? -1 : 1);
  return /^[+-]?\d+$|^[+-]?0[xXbBoO]/.test(plain) ? value : new GoFloat(value);
}
