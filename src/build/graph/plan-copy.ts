import { posix } from "node:path";
import type { CopyInstruction } from "#core/dockerfile/dockerfile";
import { expandDocument } from "#core/dockerfile/expand";
import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import { parseGitUrl } from "../files/git-url.ts";
import { isHttpUrl } from "../files/http-get.ts";
import type { CopyNode, PlannedSource } from "./graph.ts";
import type { Stager } from "./plan-stage.ts";

/** Plans COPY and ADD; answers it as the history has it. */
export function planCopy(stager: Stager, instruction: CopyInstruction, step: Digest): string {
  const { scope, config } = stager;
  const word = instruction.kind.toUpperCase();
  const sources = plannedSources(stager, instruction);
  const given = scope.word(instruction.target);
  const chown = instruction.chown === undefined ? undefined : scope.word(instruction.chown);
  const chmod = instruction.chmod === undefined ? undefined : scope.word(instruction.chmod);
  const count = sources.reduce((sum, source) => sum + (source.kind === "paths" ? source.patterns.length : 1), 0);
  if (count > 1 && !/(?:^|\/)\.{0,2}$/.test(given))
    throw new Fault(
      "invalid",
      `When using ${word} with more than one source file, the destination must be a directory and end with a /`,
    );
  const node: CopyNode = {
    kind: "copy",
    step,
    below: stager.files,
    sources,
    target: absolute(given, config.WorkingDir ?? "/"),
    ...(chown !== undefined && chown !== "" && { chown }),
    ...(chmod !== undefined && chmod !== "" && { chmod }),
    link: instruction.link,
    parents: instruction.parents,
    excludes: instruction.excludes.map((raw) => scope.word(raw)),
    unpack: unpackOf(instruction),
    noCache: stager.noCache,
  };
  stager.files = node;
  const flags = [
    ...(instruction.from === undefined ? [] : [`--from=${scope.word(instruction.from)}`]),
    ...(chown === undefined ? [] : [`--chown=${chown}`]),
    ...(chmod === undefined ? [] : [`--chmod=${chmod}`]),
  ];
  return [word, ...flags, ...sources.flatMap(shownSource), given].join(" ");
}

function plannedSources(stager: Stager, instruction: CopyInstruction): PlannedSource[] {
  const { planner, scope } = stager;
  const from =
    instruction.from === undefined
      ? ({ kind: "context", name: "" } as const)
      : planner.filesOf(scope.word(instruction.from));
  const sources: PlannedSource[] = [];
  for (const source of instruction.sources) {
    if (source.kind === "heredoc") {
      const { text } = expandDocument(source.document, (name) => scope.lookup(name));
      sources.push({ kind: "text", name: source.document.name, text });
      continue;
    }
    const path = scope.word(source.path);
    const remote =
      instruction.kind === "add" && instruction.from === undefined
        ? remoteSource(instruction, path, stager)
        : undefined;
    const last = sources.at(-1);
    if (remote !== undefined) sources.push(remote);
    else if (last?.kind === "paths") sources[sources.length - 1] = { ...last, patterns: [...last.patterns, path] };
    else sources.push({ kind: "paths", from, patterns: [path] });
  }
  return sources;
}

function remoteSource(
  instruction: CopyInstruction,
  path: string,
  { scope, planner }: Stager,
): PlannedSource | undefined {
  const checksum = instruction.checksum === undefined ? {} : { checksum: scope.word(instruction.checksum) };
  if (parseGitUrl(path, { short: false }) !== undefined) {
    const keepGitDir = instruction.keepGitDir || planner.request.args["BUILDKIT_CONTEXT_KEEP_GIT_DIR"] === "1";
    return { kind: "git", url: path, keepGitDir, ...checksum };
  }
  return isHttpUrl(path) ? { kind: "url", url: path, ...checksum } : undefined;
}

function unpackOf({ kind, unpack }: CopyInstruction): CopyNode["unpack"] {
  if (kind === "copy" || unpack === false) return "no";
  return unpack === true ? "all" : "local";
}

/** A slash (or dot) at the end says that it is a directory. */
function absolute(path: string, workingDir: string): string {
  const resolved = posix.resolve("/", workingDir, path);
  return /(?:^|\/)\.{0,2}$/.test(path) && resolved !== "/" ? `${resolved}/` : resolved;
}

function shownSource(source: PlannedSource): string[] {
  switch (source.kind) {
    case "paths":
      return [...source.patterns];
    case "text":
      return [`<<${source.name}`];
    case "url":
    case "git":
      return [source.url];
  }
}
