import type { ArgInstruction, Dockerfile, Instruction, Raw, Stage, Warning } from "../dockerfile.ts";
import { expandDocument, expandWord, expandWords, type NamesUsed } from "../expand.ts";
import { splitPortWord } from "../exposed-ports.ts";
import { isFault } from "../../fault.ts";
import { splitVariable } from "../apply-config.ts";
import { likelyWord } from "../likely-word.ts";
import { parseReference } from "../../reference.ts";
import type { LintFacts } from "./lint.ts";
import { warningOf } from "./rules.ts";

/** Findings of the rules that need the values of variables, as far as they are known. */
export function expandedFindings(dockerfile: Dockerfile, facts: LintFacts): Warning[] {
  const globals = new Scope(dockerfile.escape, Object.entries(facts.platformArgs));
  const defaults = new Scope(dockerfile.escape, Object.entries(facts.platformArgs));
  for (const instruction of dockerfile.globalArgs) {
    globals.declare(instruction, facts.args, globals);
    defaults.declare(instruction, {}, defaults);
  }
  const findings = [...globals.findings];
  const ended: Scope[] = [];
  for (const stage of dockerfile.stages) {
    findings.push(...fromFindings(stage, globals, defaults));
    const scope = scopeOf(stage, dockerfile, facts, globals, ended);
    for (const instruction of stage.instructions) scope.visit(instruction, facts, globals);
    findings.push(...scope.findings);
    ended.push(scope);
  }
  return findings;
}

function scopeOf(
  stage: Stage,
  { stages, escape }: Dockerfile,
  facts: LintFacts,
  globals: Scope,
  ended: readonly Scope[],
): Scope {
  const image = globals.expand(stage.from.image)?.text ?? "";
  const parent = stages.findLastIndex(({ name, index }) => index < stage.index && name === image.toLowerCase());
  const above = ended[parent];
  if (above !== undefined) return above.child();
  const base = image === "scratch" ? { env: [], hasShell: false } : facts.baseOf(stage);
  // Every root has a PATH, also without anybody naming it.
  const scope = new Scope(escape, [["PATH", ""], ...(base?.env ?? []).map(splitVariable)]);
  scope.isKnown = base !== undefined;
  scope.hasShell = base?.hasShell ?? false;
  return scope;
}

/** Of one stage. */
const mostFindings = 1000;

/** What is set at a point of a stage, and what was found up to there. */
class Scope {
  readonly findings: Warning[] = [];
  readonly #escape: "\\" | "`";
  readonly #values: Map<string, string>;
  /** Declared by ARG, with a value or without. */
  readonly #declared = new Set<string>();
  /** Whether all that the base sets is known. */
  isKnown = true;
  hasShell = false;
  #hasWorkdir = false;

  constructor(escape: "\\" | "`", values: Iterable<readonly [string, string]>) {
    this.#escape = escape;
    this.#values = new Map(values);
  }

  /** Of a stage that begins with this one. */
  child(): Scope {
    const scope = new Scope(this.#escape, this.#values);
    for (const name of this.#declared) scope.#declared.add(name);
    scope.isKnown = this.isKnown;
    scope.hasShell = this.hasShell;
    scope.#hasWorkdir = this.#hasWorkdir;
    return scope;
  }

  get names(): Iterable<string> {
    return [...this.#values.keys(), ...this.#declared];
  }

  isDeclared(name: string): boolean {
    return this.#values.has(name) || this.#declared.has(name);
  }

  /** Undefined when it cannot be expanded: the build will say so. */
  expand(raw: Raw): (NamesUsed & { readonly text: string }) | undefined {
    return whenRight(() => expandWord(raw, this.#lookup, { escape: this.#escape }));
  }

  readonly #lookup = (name: string): string | undefined => this.#values.get(name);

  declare(instruction: ArgInstruction, given: LintFacts["args"], globals: Scope): void {
    for (const { name: rawName, value } of instruction.args) {
      const name = this.expand(rawName)?.text ?? rawName.text;
      this.#declared.add(name);
      const text = given[name] ?? (value === undefined ? globals.#values.get(name) : this.#told(value)?.text);
      if (text !== undefined) this.#values.set(name, text);
    }
  }

  visit(instruction: Instruction, facts: LintFacts, globals: Scope): void {
    const { kind, span } = instruction;
    switch (kind) {
      case "arg":
        this.declare(instruction, facts.args, globals);
        return;
      case "env":
        this.#visitPairs(instruction.pairs, true);
        return;
      case "label":
        this.#visitPairs(instruction.pairs, false);
        return;
      case "expose":
        for (const word of instruction.words) this.#visitPort(word);
        return;
      case "volume":
        for (const word of instruction.words) this.#told(word);
        return;
      case "user":
      case "stopsignal":
        this.#told(instruction.word);
        return;
      case "workdir":
        this.#visitWorkdir(instruction.word);
        return;
      case "copy":
      case "add":
        this.#visitCopy(instruction, facts);
        return;
      case "shell":
        this.hasShell = true;
        return;
      case "cmd":
      case "entrypoint": {
        if (instruction.command.form === "exec" || this.hasShell) return;
        const name = /^\S*/.exec(instruction.original)?.[0] ?? "";
        const message = `JSON arguments recommended for ${name} to prevent unintended behavior related to OS signals`;
        this.findings.push(warningOf("JSONArgsRecommended", message, span));
        return;
      }
      case "run":
      case "healthcheck":
      case "onbuild":
      case "maintainer":
        return;
    }
  }

  #visitPairs(pairs: readonly { readonly name: Raw; readonly value: Raw }[], sets: boolean): void {
    const told = pairs.map(({ name, value }) => [this.#told(name)?.text, this.#told(value)?.text] as const);
    if (!sets) return;
    for (const [name, value] of told) if (name !== undefined && value !== undefined) this.#values.set(name, value);
  }

  #visitPort(raw: Raw): void {
    const found = whenRight(() => expandWords(raw, this.#lookup, { escape: this.#escape }));
    this.#tell(found, raw);
    for (const word of found?.words ?? []) {
      const { address, hostPort, protocol } = splitPortWord(word);
      if (protocol !== protocol.toLowerCase()) {
        const message = `Defined protocol '${word}' in EXPOSE instruction should be lowercase`;
        this.findings.push(warningOf("ExposeProtoCasing", message, raw.span));
      }
      if (address !== "" || hostPort !== "") {
        const message = `EXPOSE instruction should not define an IP address or host-port mapping, found '${word}'`;
        this.findings.push(warningOf("ExposeInvalidFormat", message, raw.span));
      }
    }
  }

  #visitWorkdir(word: Raw): void {
    const found = this.#told(word);
    const isWhole = found !== undefined && found.undefined.size === 0;
    if (!this.#hasWorkdir && isWhole && !found.text.startsWith("/")) {
      const message = `Relative workdir ${JSON.stringify(found.text)} can have unexpected results if the base image changes`;
      this.findings.push(warningOf("WorkdirRelativePath", message, word.span));
    }
    this.#hasWorkdir = true;
  }

  #visitCopy(instruction: Extract<Instruction, { kind: "copy" | "add" }>, { isIgnored }: LintFacts): void {
    const { kind, from, chown, chmod, checksum, excludes, target, sources } = instruction;
    for (const raw of [chown, chmod, checksum, ...excludes, target]) if (raw !== undefined) this.#told(raw);
    for (const source of sources) {
      if (source.kind === "heredoc") {
        const { document } = source;
        this.#tell(
          whenRight(() => expandDocument(document, this.#lookup)),
          { text: "", span: document.span },
        );
        continue;
      }
      const path = this.#told(source.path)?.text ?? "";
      if (from !== undefined || isIgnored === undefined || isFromElsewhere(path)) continue;
      const cleaned = cleanPath(path);
      if (cleaned === "" || !isIgnored(cleaned)) continue;
      const verb = kind === "copy" ? "Copy" : "Add";
      const message = `Attempting to ${verb} file ${JSON.stringify(cleaned)} that is excluded by .dockerignore`;
      this.findings.push(warningOf("CopyIgnoredFile", message, source.path.span));
    }
  }

  #told(raw: Raw): (NamesUsed & { readonly text: string }) | undefined {
    const found = this.expand(raw);
    this.#tell(found, raw);
    return found;
  }

  #tell(found: NamesUsed | undefined, { span }: Raw): void {
    if (!this.isKnown) return;
    for (const name of found?.undefined ?? []) {
      if (this.#declared.has(name) || this.findings.length >= mostFindings) continue;
      const near = likelyWord(name, this.#values.keys());
      const hint = near === undefined ? "" : ` (did you mean $${near}?)`;
      this.findings.push(warningOf("UndefinedVar", `Usage of undefined variable '$${name}'${hint}`, span));
    }
  }
}

function fromFindings({ name, from }: Stage, globals: Scope, defaults: Scope): Warning[] {
  return [
    ...[from.image, ...(from.platform === undefined ? [] : [from.platform])].flatMap((raw) => undeclared(raw, globals)),
    ...defaultFindings(from.image, defaults),
    ...(from.platform === undefined ? [] : platformFindings(name ?? "", from.platform, globals)),
  ];
}

function undeclared(raw: Raw, globals: Scope): Warning[] {
  return [...(globals.expand(raw)?.undefined ?? [])]
    .filter((name) => !globals.isDeclared(name))
    .map((name) => {
      const near = likelyWord(name, globals.names);
      const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
      return warningOf("UndefinedArgInFrom", `FROM argument '${name}' is not declared${hint}`, raw.span);
    });
}

/** What the name becomes when nobody gives a build argument. */
function defaultFindings(image: Raw, defaults: Scope): Warning[] {
  const found = defaults.expand(image);
  if (found === undefined || whenRight(() => parseReference(found.text)) !== undefined) return [];
  const message = `Default value for ARG ${image.text} results in empty or invalid base image name`;
  return [warningOf("InvalidDefaultArgInFrom", message, image.span)];
}

function platformFindings(stage: string, platform: Raw, globals: Scope): Warning[] {
  const found = globals.expand(platform);
  if (found === undefined || found.undefined.size > 0) return [];
  if (found.used.size === 0) {
    const [os = "", architecture = ""] = found.text.toLowerCase().split("/");
    const isForStage = [os, architecture].some((part) => part !== "" && stage.includes(part));
    if (isForStage || !/^[\w.()+-]+(?:\/[\w.-]+){0,2}$/.test(found.text)) return [];
    const message = `FROM --platform flag should not use constant value ${JSON.stringify(found.text)}`;
    return [warningOf("FromPlatformFlagConstDisallowed", message, platform.span)];
  }
  const isTarget = found.used.size === 1 && found.used.has("TARGETPLATFORM");
  if (!isTarget || found.text !== globals.expand({ ...platform, text: "$TARGETPLATFORM" })?.text) return [];
  const message = `Setting platform to predefined ${platform.text} in FROM is redundant as this is the default behavior`;
  return [warningOf("RedundantTargetPlatform", message, platform.span)];
}

function isFromElsewhere(path: string): boolean {
  return /^(?:https?|git|ssh):\/\/|^git@/.test(path);
}

function cleanPath(path: string): string {
  const names: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") names.pop();
    else if (part !== "" && part !== ".") names.push(part);
  }
  return names.join("/");
}

function whenRight<Value>(make: () => Value): Value | undefined {
  try {
    return make();
  } catch (error) {
    if (isFault(error, "invalid")) return undefined;
    throw error;
  }
}
