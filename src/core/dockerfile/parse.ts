import type { ArgInstruction, Dockerfile, FromInstruction, Instruction, Stage, Warning } from "./dockerfile.ts";
import { readDirectives } from "./directives.ts";
import { descriptionOf, parseInstruction } from "./parse-instruction.ts";
import { SyntaxFault } from "./syntax-fault.ts";
import { InstructionReader, type Written } from "./instruction-reader.ts";

/** Bytes of the largest file that is read. */
export const mostDockerfileBytes = 1024 ** 2;

/** Reads a Dockerfile; warnings are those that only the reading knows of, `lint` takes them on. Faults: `SyntaxFault`, and nothing else. */
export function parseDockerfile(text: string): { dockerfile: Dockerfile; warnings: readonly Warning[] } {
  const lines = linesOf(text);
  const { escape, directives, lines: skip } = readDirectives(lines);
  const reader = new InstructionReader(lines, escape, skip);
  const written = reader.readAll();
  if (written.length === 0) throw new SyntaxFault("file with no instructions", wholeLine(lines));
  const globalArgs: ArgInstruction[] = [];
  const stages: (Stage & { readonly instructions: Instruction[] })[] = [];
  for (const each of written) {
    const instruction = located(each);
    const stage = stages.at(-1);
    if (instruction.kind === "from") stages.push(stageOf(instruction, stages.length, each.comments));
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") globalArgs.push(instruction);
    else throw new SyntaxFault("no build stage in current context", instruction.span, { remedy: beginWithFrom });
  }
  if (stages.length === 0)
    throw new SyntaxFault("dockerfile contains no stages to build", wholeLine(lines), { remedy: beginWithFrom });
  return { dockerfile: { text, escape, directives, globalArgs, stages }, warnings: reader.warnings };
}

const beginWithFrom = "Begin with FROM; only ARG may stand before it.";

/** Reads instructions that stand outside of a file: triggers of a base image, changes of a commit. No directives; `check` sees each keyword before its instruction is read. Faults: `SyntaxFault`, and those of `check`. */
export function parseInstructions(
  text: string,
  check: (keyword: string) => void = () => undefined,
): (Instruction | FromInstruction)[] {
  const written = new InstructionReader(linesOf(text), "\\", 0).readAll();
  for (const { keyword } of written) check(keyword.text);
  return written.map(parseInstruction);
}

/** Reads the trigger that an ONBUILD left in an image's config. Faults: `SyntaxFault`. */
export function parseTrigger(text: string): Instruction {
  const [instruction, ...others] = parseInstructions(text);
  if (instruction === undefined || others.length > 0 || instruction.kind === "from" || instruction.kind === "onbuild")
    throw new SyntaxFault("onbuild trigger should be a single expression", wholeLine([text]));
  return instruction;
}

/** With their ends; a byte order mark is no text. */
function linesOf(text: string): string[] {
  if (Buffer.byteLength(text) > mostDockerfileBytes) {
    const message = `dockerfile greater than max allowed size of ${mostDockerfileBytes} bytes`;
    throw new SyntaxFault(message, wholeLine([]));
  }
  return text.replace(/^\uFEFF/, "").match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function located(written: Written): Instruction | FromInstruction {
  try {
    return parseInstruction(written);
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    const { message, span, remedy } = error;
    const options = { cause: error, ...(remedy !== undefined && { remedy }) };
    throw new SyntaxFault(`dockerfile parse error on line ${span.start.line}: ${message}`, span, options);
  }
}

function stageOf(
  from: FromInstruction,
  index: number,
  comments: readonly string[],
): Stage & { readonly instructions: Instruction[] } {
  if (from.name === undefined) return { index, from, instructions: [] };
  const name = from.name.text.toLowerCase();
  const description = descriptionOf(name, comments) ?? descriptionOf(from.name.text, comments);
  return { index, name, from, instructions: [], ...(description !== undefined && { description }) };
}

function wholeLine(lines: readonly string[]): SyntaxFault["span"] {
  const line = Math.max(1, lines.length);
  return { start: { line, column: 1 }, end: { line, column: 1 } };
}
