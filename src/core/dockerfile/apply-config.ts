import type { ContainerDefaults, Healthcheck, ImageConfig } from "../oci.ts";
import type { Command, HealthcheckInstruction, Instruction, Raw, WordInstruction } from "./dockerfile.ts";
import { expandWord, expandWords, type Lookup } from "./expand.ts";
import { portsOf } from "./exposed-ports.ts";
import { healthcheckTimes } from "./healthcheck-times.ts";
import { SyntaxFault } from "./syntax-fault.ts";

type ConfigKind =
  | ("cmd" | "entrypoint" | "env" | "label" | "expose" | "volume")
  | ("user" | "workdir" | "stopsignal" | "shell" | "healthcheck" | "onbuild");

type OfKind<Kind, Each = Instruction> = Each extends { readonly kind: infer Kinds }
  ? Kind extends Kinds
    ? Each & { readonly kind: Kind }
    : never
  : never;

/** Instructions whose whole effect is on the image's config (WORKDIR makes its folder, too). */
export type ConfigInstruction = { [Kind in ConfigKind]: OfKind<Kind> }[ConfigKind];

/** What an instruction is read with. */
export interface ConfigScope {
  readonly lookup: Lookup;
  readonly escape: "\\" | "`";
  /** Whether a CMD came before in this stage: without one, ENTRYPOINT takes the base's away. */
  readonly hasOwnCommand: boolean;
}

/** Whether an instruction is one for `applyToConfig`. */
export function isConfigInstruction(instruction: { readonly kind: string }): instruction is ConfigInstruction {
  return Object.hasOwn(effects, instruction.kind);
}

/** What the instruction makes of an image's defaults; it expands what the Dockerfile reference lets it. Faults: `SyntaxFault`. */
export function applyToConfig(
  defaults: ContainerDefaults,
  instruction: ConfigInstruction,
  scope: ConfigScope,
): ContainerDefaults {
  // One kind at a time: the table says which goes with which.
  const effect = effects[instruction.kind] as (...all: readonly unknown[]) => ContainerDefaults;
  return { ...defaults, ...effect(instruction, defaults, scope) };
}

/** What MAINTAINER makes of an image; its text is taken as it is. */
export function withMaintainer(image: ImageConfig, { word }: WordInstruction): ImageConfig {
  return { ...image, author: word.text };
}

/** The words of a command: its own, or those of the shell with its line. */
export function commandWords(command: Command, shell: readonly string[] | null | undefined): readonly string[] {
  if (command.form === "exec") return command.args;
  return [...((shell ?? []).length === 0 ? defaultShell : (shell ?? [])), command.text];
}

/** What runs a line when no SHELL says otherwise. */
export const defaultShell: readonly string[] = ["/bin/sh", "-c"];

/** `Env` with these variables; one of the same name keeps its place. */
export function withVariables(env: readonly string[], pairs: readonly (readonly [string, string])[]): string[] {
  const values = new Map([...env.map((each) => splitVariable(each)), ...pairs]);
  return Array.from(values, ([name, value]) => `${name}=${value}`);
}

/** Looks variables up in an image's `Env`. */
export function lookupIn(env: readonly string[] | null | undefined): Lookup {
  const values = new Map((env ?? []).map((each) => splitVariable(each)));
  return (name) => values.get(name);
}

/** A path seen from the working directory, without `.` and `..`. */
export function absolutePath(path: string, workingDirectory: string | undefined): string {
  const base = path.startsWith("/") ? "" : (workingDirectory ?? "");
  const names: string[] = [];
  for (const part of `${base}/${path}`.split("/")) {
    if (part === "..") names.pop();
    else if (part !== "" && part !== ".") names.push(part);
  }
  return `/${names.join("/")}`;
}

/** `NAME=value` in two; without a value it is empty. */
export function splitVariable(variable: string): [string, string] {
  const equals = variable.indexOf("=");
  return equals < 0 ? [variable, ""] : [variable.slice(0, equals), variable.slice(equals + 1)];
}

type Effect<Kind> = (instruction: OfKind<Kind>, defaults: ContainerDefaults, scope: ConfigScope) => ContainerDefaults;

const effects: { readonly [Kind in ConfigKind]: Effect<Kind> } = {
  cmd: ({ command }, { Shell }) => ({ Cmd: commandWords(command, Shell) }),
  entrypoint: ({ command }, { Shell, Cmd }, { hasOwnCommand }) => ({
    Entrypoint: commandWords(command, Shell),
    ...((Cmd ?? undefined) !== undefined && !hasOwnCommand && { Cmd: null }),
  }),
  env: ({ pairs }, { Env }, scope) => ({ Env: withVariables(Env ?? [], expandPairs(pairs, scope)) }),
  label: ({ pairs }, { Labels }, scope) => ({
    Labels: { ...Labels, ...Object.fromEntries(expandPairs(pairs, scope)) },
  }),
  expose: ({ words }, { ExposedPorts }, scope) => ({
    ExposedPorts: { ...ExposedPorts, ...keys(words.flatMap((word) => exposedBy(word, scope))) },
  }),
  volume: ({ words }, { Volumes }, scope) => ({
    Volumes: { ...Volumes, ...keys(words.map((word) => volumeOf(word, scope))) },
  }),
  user: ({ word }, _, scope) => ({ User: withoutBlanks("USER", word, scope) }),
  workdir: ({ word }, { WorkingDir }, scope) => ({ WorkingDir: absolutePath(expanded(word, scope), WorkingDir) }),
  stopsignal: ({ word }, _, scope) => ({ StopSignal: signalOf(word, scope) }),
  shell: ({ shell }) => ({ Shell: shell }),
  healthcheck: ({ check }) => ({ Healthcheck: healthcheckOf(check) }),
  onbuild: ({ trigger }, { OnBuild }) => ({ OnBuild: [...(OnBuild ?? []), trigger] }),
};

function expanded(raw: Raw, { lookup, escape }: ConfigScope): string {
  return expandWord(raw, lookup, { escape }).text;
}

function expandPairs(pairs: readonly { name: Raw; value: Raw }[], scope: ConfigScope): (readonly [string, string])[] {
  return pairs.map(({ name, value }) => [expanded(name, scope), expanded(value, scope)]);
}

function keys(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function exposedBy(raw: Raw, { lookup, escape }: ConfigScope): readonly string[] {
  return expandWords(raw, lookup, { escape }).words.flatMap((word) => {
    const found = portsOf(word);
    if ("wrong" in found) throw new SyntaxFault(found.wrong, raw.span);
    return found.ports;
  });
}

function volumeOf(word: Raw, scope: ConfigScope): string {
  const path = expanded(word, scope);
  if (path.trim() === "") throw new SyntaxFault("VOLUME specified can not be an empty string", word.span);
  return path;
}

function withoutBlanks(instruction: string, word: Raw, scope: ConfigScope): string {
  const text = expanded(word, scope);
  if (/\s/.test(text)) throw new SyntaxFault(`${instruction} requires exactly one argument`, word.span);
  return text;
}

function signalOf(word: Raw, scope: ConfigScope): string {
  const signal = withoutBlanks("STOPSIGNAL", word, scope);
  const isSignal = /^(?:[1-9]|[1-5]\d|6[0-4])$/.test(signal) || /^(?:SIG)?[A-Z][A-Z0-9+-]{1,11}$/i.test(signal);
  if (!isSignal) throw new SyntaxFault(`invalid signal: ${signal}`, word.span);
  return signal;
}

function healthcheckOf(check: HealthcheckInstruction["check"]): Healthcheck {
  if (check === undefined) return { Test: ["NONE"] };
  const { command, flags } = check;
  const test = command.form === "exec" ? ["CMD", ...command.args] : ["CMD-SHELL", command.text];
  return { Test: test, ...healthcheckTimes(flags) };
}
