import type { TemplateFunction } from "./functions.ts";
import type { Command, Node, Operand, Pipe } from "./parse.ts";
import { display, goTypeOf, isMap, isMarkedMap, RowValue, truth, TypedNil, type Value } from "./value.ts";

/** A template that failed on its data; `at` and `source` name the operand. */
export class TemplateRunError extends Error {
  override readonly name = "TemplateRunError";
  readonly at: number;
  readonly source: string;
  constructor(message: string, operand: Operand) {
    super(message);
    this.at = operand.at;
    this.source = operand.source;
  }
}

/** Runs a parsed template on a value. */
export function evaluate(nodes: readonly Node[], data: Value, functions: Functions): string {
  const run = new Run(data, functions);
  run.list(nodes, data);
  return run.output;
}

type Functions = Readonly<Record<string, TemplateFunction>>;

type Flow = "break" | "continue" | undefined;

class Run {
  output = "";
  readonly #scope: { name: string; value: Value }[];

  readonly #functions: Functions;

  constructor(data: Value, functions: Functions) {
    this.#functions = functions;
    this.#scope = [{ name: "$", value: data }];
  }

  list(nodes: readonly Node[], dot: Value): Flow {
    for (const node of nodes) {
      const flow = this.#node(node, dot);
      if (flow !== undefined) return flow;
    }
    return undefined;
  }

  #node(node: Node, dot: Value): Flow {
    switch (node.kind) {
      case "text":
        this.output += node.text;
        return undefined;
      case "action": {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.variables.length === 0) this.output += display(value);
        return undefined;
      }
      case "if":
      case "with": {
        const depth = this.#scope.length;
        const value = this.#pipe(node.pipe, dot);
        const inner = node.kind === "with" && truth(value) ? value : dot;
        const flow = this.list(truth(value) ? node.body : node.otherwise, inner);
        this.#scope.length = depth;
        return flow;
      }
      case "range":
        return this.#range(node, dot);
      default:
        return node.kind;
    }
  }

  #range(node: Extract<Node, { kind: "range" }>, dot: Value): Flow {
    const depth = this.#scope.length;
    const value = this.#commands(node.pipe, dot);
    const items = entriesOf(value, node.pipe);
    if (items.length === 0) {
      const flow = this.list(node.otherwise, dot);
      this.#scope.length = depth;
      return flow;
    }
    for (const [key, item] of items) {
      const [first, second] = node.pipe.variables;
      if (first !== undefined) this.#store(first, second === undefined ? item : key, node.pipe.assign);
      if (second !== undefined) this.#store(second, item, node.pipe.assign);
      const flow = this.list(node.body, item);
      this.#scope.length = depth;
      if (flow === "break") break;
    }
    return undefined;
  }

  #store(name: string, value: Value, assign: boolean): void {
    const known = assign ? this.#scope.findLast((variable) => variable.name === name) : undefined;
    if (known === undefined) this.#scope.push({ name, value });
    else known.value = value;
  }

  #pipe(pipe: Pipe, dot: Value): Value {
    const value = this.#commands(pipe, dot);
    for (const name of pipe.variables) this.#store(name, value, pipe.assign);
    return value;
  }

  #commands(pipe: Pipe, dot: Value): Value {
    let piped: [] | [Value] = [];
    for (const command of pipe.commands) piped = [this.#command(command, dot, piped)];
    return piped[0];
  }

  #command(command: Command, dot: Value, piped: readonly Value[]): Value {
    const [first, ...rest] = command.operands;
    if (first === undefined) return undefined;
    if (first.base.kind === "function")
      return this.#call({ ...first, source: command.source }, first.base.name, rest, dot, piped);
    if (first.base.kind === "constant" && first.base.isNil === true && rest.length + piped.length === 0) {
      throw new TemplateRunError("nil is not a command", first);
    }
    const args = (): Value[] => [...rest.map((operand) => this.#operand(operand, dot)), ...piped];
    const hasArguments = rest.length + piped.length > 0;
    return this.#operand(first, dot, hasArguments ? args : undefined);
  }

  #call(operand: Operand, name: string, rest: readonly Operand[], dot: Value, piped: readonly Value[]): Value {
    if (name === "and" || name === "or") {
      let value: Value = undefined;
      for (const next of rest) {
        value = this.#operand(next, dot);
        if (truth(value) === (name === "or")) return value;
      }
      return piped.length > 0 ? piped[0] : value;
    }
    const args = [...rest.map((next) => this.#operand(next, dot)), ...piped];
    const callee = this.#functions[name];
    try {
      const value = callee?.(...args);
      return this.#fields(operand, value);
    } catch (error) {
      if (error instanceof TemplateRunError) throw error;
      const text = error instanceof Error ? error.message : String(error);
      throw new TemplateRunError(`error calling ${name}: ${text}`, operand);
    }
  }

  #operand(operand: Operand, dot: Value, args?: () => Value[]): Value {
    const { base } = operand;
    switch (base.kind) {
      case "dot":
        return this.#fields(operand, dot, args);
      case "variable":
        return this.#fields(operand, this.#scope.findLast((variable) => variable.name === base.name)?.value, args);
      case "constant":
        if (args !== undefined)
          throw new TemplateRunError(`can't give argument to non-function ${operand.source}`, operand);
        return base.value;
      case "pipe":
        return this.#fields(operand, this.#pipe(base.pipe, dot), args);
      default:
        return this.#call(operand, base.name, [], dot, []);
    }
  }

  #fields(operand: Operand, start: Value, args?: () => Value[]): Value {
    let value = start;
    for (const [index, name] of operand.fields.entries()) {
      const last = index === operand.fields.length - 1;
      value = field(value, name, operand, last ? args : undefined);
    }
    if (operand.fields.length === 0 && args !== undefined) {
      throw new TemplateRunError(`can't give argument to non-function ${operand.source}`, operand);
    }
    return value;
  }
}

function field(receiver: Value, name: string, operand: Operand, args: (() => Value[]) | undefined): Value {
  if (receiver instanceof RowValue) {
    const method = receiver.row.methods?.[name];
    if (method !== undefined) return method(...(args?.() ?? []));
    const read = Object.hasOwn(receiver.row.fields, name) ? receiver.row.fields[name] : undefined;
    if (read === undefined) {
      throw new TemplateRunError(`can't evaluate field ${name} in type ${receiver.row.goType}`, operand);
    }
    return read();
  }
  if (receiver === undefined || receiver === null) {
    throw new TemplateRunError(`nil pointer evaluating interface {}.${name}`, operand);
  }
  if (receiver instanceof TypedNil) {
    if (receiver.kind === "map") return undefined;
    throw new TemplateRunError(`nil pointer evaluating ${receiver.kind}.${name}`, operand);
  }
  if (!isMap(receiver))
    throw new TemplateRunError(`can't evaluate field ${name} in type ${goTypeOf(receiver)}`, operand);
  if (Object.hasOwn(receiver, name)) {
    const value = receiver[name];
    if (typeof value === "function") return (value as TemplateFunction)(...(args?.() ?? []));
    if (args !== undefined) throw new TemplateRunError(`${name} is not a method but has arguments`, operand);
    return value;
  }
  if (isMarkedMap(receiver)) return undefined;
  throw new TemplateRunError(`map has no entry for key ${JSON.stringify(name)}`, operand);
}

function entriesOf(value: Value, pipe: Pipe): readonly (readonly [Value, Value])[] {
  if (value === undefined || value === null || value instanceof TypedNil) return [];
  if (Array.isArray(value)) return value.map((item, index) => [index, item]);
  if (typeof value === "number" && Number.isInteger(value))
    return Array.from({ length: value }, (_, index) => [index, index]);
  if (isMap(value))
    return Object.keys(value)
      .sort()
      .map((key) => [key, value[key]]);
  const operand = pipe.commands[0]?.operands[0];
  const message = `range can't iterate over ${display(value)}`;
  throw operand === undefined ? new Error(message) : new TemplateRunError(message, operand);
}
