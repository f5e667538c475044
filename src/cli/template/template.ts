import { evaluate, TemplateRunError } from "./evaluate.ts";
import { functions, type TemplateFunction } from "./functions.ts";
import { TemplateSyntaxError } from "./lex.ts";
import { parseTemplate } from "./parse.ts";
import type { Value } from "./value.ts";

/** A Go template (text/template) with Docker's functions, ready to be run on many values. */
export interface Template {
  /** The text for one value; throws an Error in Go's wording, `template: :1:2: executing "" at <.X>: …`. */
  render(data: Value): string;
}

/** Parses a template; throws an Error in Go's wording, `template: :1: unclosed action`. `replaced` goes before the functions of that name. */
export function compileTemplate(source: string, replaced: Readonly<Record<string, TemplateFunction>> = {}): Template {
  const known = { ...functions, ...replaced };
  try {
    const nodes = parseTemplate(source, (name) => Object.hasOwn(known, name));
    return { render: (data) => run(() => evaluate(nodes, data, known), source) };
  } catch (error) {
    if (!(error instanceof TemplateSyntaxError)) throw error;
    throw new Error(`template: :${lineOf(source, error.at).line}: ${error.message}`, { cause: error });
  }
}

function run(work: () => string, source: string): string {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TemplateRunError)) throw error;
    const { line, column } = lineOf(source, error.at);
    const where = error.source.length > 20 ? `${error.source.slice(0, 20)}...` : error.source;
    throw new Error(`template: :${line}:${column}: executing "" at <${where}>: ${error.message}`, { cause: error });
  }
}

function lineOf(source: string, at: number): { line: number; column: number } {
  const before = source.slice(0, at);
  return { line: before.split("\n").length, column: at - (before.lastIndexOf("\n") + 1) };
}
