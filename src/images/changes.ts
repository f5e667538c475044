import { Fault } from "#core/fault";
import type { ContainerDefaults, Healthcheck } from "#core/oci";
import { splitAssignments, splitWords } from "./instruction-words.ts";
import { parseGoDuration as parseDuration } from "#core/go-duration";

/** Applies `--change` instructions (a part of the Dockerfile language) to an image's defaults. Faults: `invalid`, in Docker's words for instructions that cannot be a change. */
export function applyChanges(defaults: ContainerDefaults, changes: readonly string[]): ContainerDefaults {
  return changes
    .flatMap((change) => change.split("\n"))
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .reduce(applyChange, defaults);
}

function applyChange(defaults: ContainerDefaults, line: string): ContainerDefaults {
  const [, word = "", rest = ""] = /^(\S+)\s*([^]*)$/.exec(line) ?? [];
  const instruction = word.toUpperCase();
  const apply = instructions[instruction];
  if (apply === undefined) throw new Fault("invalid", `${word} is not a valid change command`);
  const text = rest.trim();
  if (text === "" && !mayBeEmpty.has(instruction))
    throw new Fault("invalid", `${instruction} requires at least one argument`);
  return { ...defaults, ...apply(text, defaults) };
}

type Apply = (text: string, defaults: ContainerDefaults) => ContainerDefaults;

const mayBeEmpty = new Set(["CMD", "ENTRYPOINT"]);

const instructions: Readonly<Record<string, Apply>> = {
  CMD: (text) => ({ Cmd: commandOf(text), ArgsEscaped: false }),
  ENTRYPOINT: (text, { Cmd }) => ({ Entrypoint: commandOf(text), ...(Cmd !== undefined && { Cmd }) }),
  ENV: (text, { Env }) => ({ Env: Object.entries(assignments("ENV", text)).reduce(withVariable, [...(Env ?? [])]) }),
  LABEL: (text, { Labels }) => ({ Labels: { ...Labels, ...assignments("LABEL", text) } }),
  EXPOSE: (text, { ExposedPorts }) => ({
    ExposedPorts: { ...ExposedPorts, ...keys(splitWords(text).flatMap(portsOf)) },
  }),
  VOLUME: (text, { Volumes }) => ({ Volumes: { ...Volumes, ...keys(volumesOf(text)) } }),
  USER: (text) => ({ User: oneWord("USER", text) }),
  WORKDIR: (text, { WorkingDir }) => ({ WorkingDir: absolutePath(oneWord("WORKDIR", text), WorkingDir) }),
  STOPSIGNAL: (text) => ({ StopSignal: signalOf(oneWord("STOPSIGNAL", text)) }),
  HEALTHCHECK: (text) => ({ Healthcheck: healthcheckOf(text) }),
  ONBUILD: (text, { OnBuild }) => ({ OnBuild: [...(OnBuild ?? []), triggerOf(text)] }),
};

/** `["a", "b"]` is the command itself; anything else is for the shell. */
function commandOf(text: string): string[] {
  return execForm(text) ?? (text === "" ? [] : ["/bin/sh", "-c", text]);
}

function execForm(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((item) => typeof item === "string") ? list : undefined;
  } catch {
    return undefined;
  }
}

function assignments(instruction: string, text: string): Record<string, string> {
  const found = splitAssignments(text);
  if (found === undefined) throw new Fault("invalid", `${instruction} must have two arguments`);
  for (const [name] of found) if (name === "") throw new Fault("invalid", `${instruction} names can not be blank`);
  return Object.fromEntries(found);
}

function withVariable(env: readonly string[], [name, value]: readonly [string, string]): string[] {
  const variable = `${name}=${value}`;
  const at = env.findIndex((each) => each.startsWith(`${name}=`));
  return at < 0 ? [...env, variable] : env.with(at, variable);
}

function keys(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

const mostPorts = 65_536;

function portsOf(word: string): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
  const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || from < 1 || to < from || to >= mostPorts)
    throw new Fault("invalid", `invalid containerPort: ${word}`);
  const protocol = (match[3] ?? "tcp").toLowerCase();
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol}`);
}

function volumesOf(text: string): string[] {
  const paths = execForm(text) ?? splitWords(text);
  if (paths.some((path) => path.trim() === ""))
    throw new Fault("invalid", "VOLUME specified can not be an empty string");
  return paths;
}

function oneWord(instruction: string, text: string): string {
  const words = splitWords(text);
  const [word] = words;
  if (word === undefined || words.length !== 1)
    throw new Fault("invalid", `${instruction} requires exactly one argument`);
  return word;
}

function absolutePath(path: string, before: string | undefined): string {
  const base = path.startsWith("/") ? "" : (before ?? "");
  const names: string[] = [];
  for (const part of `${base}/${path}`.split("/")) {
    if (part === "..") names.pop();
    else if (part !== "" && part !== ".") names.push(part);
  }
  return `/${names.join("/")}`;
}

function signalOf(word: string): string {
  if (/^(?:[1-9]|[1-5]\d|6[0-4])$/.test(word) || /^(?:SIG)?[A-Z][A-Z0-9+-]{1,11}$/i.test(word)) return word;
  throw new Fault("invalid", `invalid signal: ${word}`);
}

/** `NONE`, or `[--interval=…] … CMD …` (Dockerfile reference, HEALTHCHECK). */
function healthcheckOf(text: string): Healthcheck {
  const options: Record<string, string> = {};
  let rest = text;
  for (let match = optionForm.exec(rest); match !== null; match = optionForm.exec(rest)) {
    options[match[1] ?? ""] = match[2] ?? "";
    rest = rest.slice(match[0].length);
  }
  const [, kind = "", command = ""] = /^(\S*)\s*([^]*)$/.exec(rest) ?? [];
  if (kind.toUpperCase() === "NONE" && command === "") return { Test: ["NONE"] };
  if (kind.toUpperCase() !== "CMD")
    throw new Fault("invalid", `Unknown type ${JSON.stringify(kind.toUpperCase())} in HEALTHCHECK (try CMD)`);
  if (command.trim() === "") throw new Fault("invalid", "Missing command after HEALTHCHECK CMD");
  const exec = execForm(command.trim());
  return {
    Test: exec === undefined ? ["CMD-SHELL", command.trim()] : ["CMD", ...exec],
    ...healthcheckOptions(options),
  };
}

const optionForm = /^--([a-z-]+)=(\S+)\s*/;

const durationOptions: Readonly<Record<string, "Interval" | "Timeout" | "StartPeriod" | "StartInterval">> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
};

function healthcheckOptions(options: Readonly<Record<string, string>>): Healthcheck {
  const entries = Object.entries(options).map(([name, value]): [string, number] => {
    const field = durationOptions[name];
    if (field !== undefined) return [field, durationOf(name, value)];
    if (name !== "retries") throw new Fault("invalid", `unknown flag: ${name}`);
    if (!/^\d{1,9}$/.test(value)) throw new Fault("invalid", `--retries must be at least 0 (not ${value})`);
    return ["Retries", Number(value)];
  });
  return Object.fromEntries(entries);
}

function durationOf(name: string, text: string): number {
  const durationNs = Number(parseDuration(text) ?? Number.NaN);
  if (durationNs === 0 || durationNs >= 1e6) return durationNs;
  throw new Fault("invalid", `invalid duration of --${name}: ${JSON.stringify(text)}`, {
    remedy: "Write it such as 30s or 1m30s, at least 1ms.",
  });
}

function triggerOf(text: string): string {
  const word = (/^\S+/.exec(text)?.[0] ?? "").toUpperCase();
  if (word === "ONBUILD") throw new Fault("invalid", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (word === "FROM" || word === "MAINTAINER")
    throw new Fault("invalid", `${word} isn't allowed as an ONBUILD trigger`);
  return text;
}
