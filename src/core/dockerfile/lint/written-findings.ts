import type { ArgInstruction, Dockerfile, FromInstruction, Instruction, Span, Stage, Warning } from "../dockerfile.ts";
import { warningOf } from "./rules.ts";

/** Findings of the rules that need nothing but what is written. */
export function writtenFindings(dockerfile: Dockerfile): Warning[] {
  const { stages, globalArgs } = dockerfile;
  return [
    ...casingFindings([...globalArgs, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])]),
    ...stageNameFindings(stages),
    ...stages.flatMap(({ from }) => fromFindings(from)),
    ...stages.flatMap(({ instructions }) => onceFindings(instructions)),
    ...[...globalArgs, ...stages.flatMap(({ instructions }) => instructions)].flatMap(instructionFindings),
    ...descriptionFindings(dockerfile),
  ];
}

type Any = Instruction | FromInstruction;

function keywordOf({ original }: Any): string {
  return /^\S*/.exec(original)?.[0] ?? "";
}

function casingFindings(instructions: readonly Any[]): Warning[] {
  const keywords = instructions.map((instruction) => ({ keyword: keywordOf(instruction), span: instruction.span }));
  const lower = keywords.filter(({ keyword }) => keyword === keyword.toLowerCase()).length;
  const upper = keywords.filter(({ keyword }) => keyword === keyword.toUpperCase()).length;
  const isLower = lower > upper;
  return keywords
    .filter(({ keyword }) => keyword !== (isLower ? keyword.toLowerCase() : keyword.toUpperCase()))
    .map(({ keyword, span }) => {
      const wanted = isLower ? "lowercase" : "uppercase";
      const message = `Command '${keyword}' should match the case of the command majority (${wanted})`;
      return warningOf("ConsistentInstructionCasing", message, span);
    });
}

const reservedNames = new Set(["context", "scratch"]);

function stageNameFindings(stages: readonly Stage[]): Warning[] {
  const before = new Set<string>();
  return stages.flatMap(({ name, from }) => {
    if (name === undefined) return [];
    const findings: Warning[] = [];
    const { text, span } = from.name ?? { text: name, span: from.span };
    if (text !== name) findings.push(warningOf("StageNameCasing", `Stage name '${text}' should be lowercase`, span));
    if (reservedNames.has(name)) {
      const message = `Stage name should not use the same name as reserved stage ${JSON.stringify(name)}`;
      findings.push(warningOf("ReservedStageName", message, span));
    }
    if (before.has(name)) {
      const message = `Duplicate stage name ${JSON.stringify(name)}, stage names should be unique`;
      findings.push(warningOf("DuplicateStageName", message, span));
    }
    before.add(name);
    return findings;
  });
}

/** A keyword of mixed case has a warning of its own. */
function fromFindings(from: FromInstruction): Warning[] {
  if (from.name === undefined) return [];
  const keyword = keywordOf(from);
  const as = from.original.split(/[\t\v\f\r ]+/).at(-2) ?? "";
  const isLower = keyword === keyword.toLowerCase();
  if (!isLower && keyword !== keyword.toUpperCase()) return [];
  if (as === (isLower ? as.toLowerCase() : as.toUpperCase())) return [];
  return [warningOf("FromAsCasing", `'${as}' and '${keyword}' keywords' casing do not match`, from.span)];
}

const onceKinds = new Set<string>(["cmd", "entrypoint", "healthcheck"]);

/** The finding is at those that do nothing: all but the last. */
function onceFindings(instructions: readonly Instruction[]): Warning[] {
  const last = new Map<string, Instruction>();
  return instructions.flatMap((instruction) => {
    if (!onceKinds.has(instruction.kind)) return [];
    const before = last.get(instruction.kind);
    last.set(instruction.kind, instruction);
    if (before === undefined) return [];
    const name = keywordOf(instruction);
    const message = `Multiple ${name} instructions should not be used in the same stage because only the last one will be used`;
    return [warningOf("MultipleInstructionsDisallowed", message, before.span)];
  });
}

function instructionFindings(instruction: Instruction): Warning[] {
  const { kind, span } = instruction;
  if (kind === "maintainer")
    return [warningOf("MaintainerDeprecated", "Maintainer instruction is deprecated in favor of using label", span)];
  if (kind === "arg") return instruction.args.flatMap(({ name }) => secretFindings("ARG", name.text, name.span));
  if (kind !== "env" && kind !== "label") return [];
  const secrets =
    kind === "env" ? instruction.pairs.flatMap(({ name }) => secretFindings("ENV", name.text, name.span)) : [];
  if (!instruction.legacy) return secrets;
  const name = keywordOf(instruction);
  const message = `"${name} key=value" should be used instead of legacy "${name} key value" format`;
  return [warningOf("LegacyKeyValueFormat", message, span), ...secrets];
}

const secretWords = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const harmlessWords = /(?:_|^)(?:public|file|version)(?:_|$)/i;

function secretFindings(instruction: string, name: string, span: Span): Warning[] {
  if (!secretWords.test(name) || harmlessWords.test(name)) return [];
  const message = `Do not use ARG or ENV instructions for sensitive data (${instruction} ${JSON.stringify(name)})`;
  return [warningOf("SecretsUsedInArgOrEnv", message, span)];
}

function descriptionFindings({ text, globalArgs, stages }: Dockerfile): Warning[] {
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  const args: ArgInstruction[] = [...globalArgs, ...stages.flatMap(({ instructions }) => instructions.filter(isArg))];
  const defined = [
    ...args.map(({ args, span }) => ({ instruction: "ARG", names: args.map(({ name }) => name.text), span })),
    ...stages.flatMap(({ name, from }) =>
      name === undefined ? [] : [{ instruction: "FROM", names: [name], span: from.span }],
    ),
  ];
  const firstLine = lines.findIndex((line) => !isDirective(line));
  return defined.flatMap(({ instruction, names, span }) => {
    const above = span.start.line - 2;
    const comment = above < firstLine ? "" : (/^\s*#\s*(.*)/.exec(lines[above] ?? "")?.[1] ?? "").trim();
    if (comment === "" || names.includes(comment.split(" ")[0] ?? "")) return [];
    const example = names.length > 1 ? "<arg_key>" : (names[0] ?? "");
    const message = `Comment for ${instruction} should follow the format: \`# ${example} <description>\``;
    return [warningOf("InvalidDefinitionDescription", message, span)];
  });
}

function isArg(instruction: Instruction): instruction is ArgInstruction {
  return instruction.kind === "arg";
}

function isDirective(line: string): boolean {
  return /^\s*#\s*(?:syntax|escape|check)\s*=\s*\S/i.test(line);
}
