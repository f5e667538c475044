import { applyToConfig, type ConfigInstruction, isConfigInstruction } from "#core/dockerfile/apply-config";
import type { Instruction, Stage } from "#core/dockerfile/dockerfile";
import { parseTrigger } from "#core/dockerfile/parse";
import { type Digest, digestOf } from "#core/digest";
import { Fault } from "#core/fault";
import type { ContainerDefaults, Platform } from "#core/oci";
import { parsePlatform, platformName } from "#core/platform";
import { createdBy } from "./created-by.ts";
import type { Base, Node, PlannedHistory, PlannedStep } from "./graph.ts";
import type { Planner } from "./plan.ts";
import { planCopy } from "./plan-copy.ts";
import { planRun } from "./plan-run.ts";
import { environmentValue, Scope } from "./scope.ts";
import { findStage, shownName } from "./stage-names.ts";

/** A stage as it is planned: what it makes, and the steps that make it. */
export interface StagePlan {
  readonly files: Node;
  readonly config: ContainerDefaults;
  readonly author?: string;
  readonly base: Base;
  /** What came on top of the base, other stages' included. */
  readonly history: readonly PlannedHistory[];
  readonly args: ReadonlyMap<string, string>;
  readonly steps: readonly PlannedStep[];
}

/** A stage while it is planned. */
export interface Stager {
  readonly planner: Planner;
  readonly stage: Stage;
  readonly scope: Scope;
  readonly platform: Platform;
  readonly noCache: boolean;
  config: ContainerDefaults;
  /** A CMD came before in this stage. */
  hasOwnCommand: boolean;
  author: string | undefined;
  files: Node;
}

/** Plans a stage: its instructions one after the other, after the triggers of its base. */
export function planStage(planner: Planner, stage: Stage): StagePlan {
  const beginning = begin(planner, stage);
  const { onBuild } = beginning;
  const instructions = [...onBuild.map((trigger) => parseTrigger(trigger)), ...stage.instructions];
  const stager = stagerOf(planner, stage, beginning);
  const history: PlannedHistory[] = [...beginning.history];
  const names = new StepNames(planner, stage, instructions);
  const steps: PlannedStep[] = [fromStep(stager, names, beginning)];
  for (const [index, instruction] of instructions.entries()) {
    const id = stepId(planner, stage, index + 1);
    const before = stager.files;
    const words = planInstruction(stager, instruction, id);
    const node = stager.files === before ? undefined : stager.files;
    history.push({
      createdBy: node === undefined ? words : `${words} # buildkit`,
      ...(node !== undefined && { node }),
    });
    steps.push({
      id,
      name: names.next(instruction),
      number: 0,
      instruction: instruction.original,
      stage: shownName(stage),
      span: instruction.span,
      slot: slotOf(planner, stage, index + 1),
      ...(node === undefined ? { previous: steps.at(-1)?.id ?? id } : { node }),
    });
  }
  const { files, config, author, scope } = stager;
  return {
    files,
    config,
    history,
    steps,
    base: beginning.base,
    args: scope.args,
    ...(author !== undefined && { author }),
  };
}

/** What a stage begins with. */
interface Beginning {
  readonly files: Node;
  readonly config: ContainerDefaults;
  readonly author?: string;
  readonly base: Base;
  readonly history: readonly PlannedHistory[];
  readonly onBuild: readonly string[];
  readonly platform: Platform;
  /** The step that ends what it begins with. */
  readonly previous: Digest;
  readonly args: ReadonlyMap<string, string>;
}

function begin(planner: Planner, stage: Stage): Beginning {
  const name = planner.globals.word(stage.from.image);
  const platform =
    stage.from.platform === undefined
      ? planner.request.platform
      : parsePlatform(planner.globals.word(stage.from.platform));
  if (name === "")
    throw new Fault("invalid", `base name (${stage.from.image.text}) should not be blank`, {
      remedy: "Give the argument a value: ARG NAME=default before the first FROM, or --build-arg.",
    });
  const other = findEarlier(planner, stage, name);
  if (other !== undefined) return afterStage(planner, stage, other, platform);
  const context = planner.request.contexts[name];
  if (context?.kind === "files")
    throw new Fault("invalid", `the build context ${name} is a folder and cannot be a base image`);
  return context === undefined && name === "scratch"
    ? fromScratch(planner, stage, platform)
    : fromImage(planner, context?.reference ?? name, platform);
}

/** FROM means a stage before it, and nothing that comes later. */
function findEarlier(planner: Planner, stage: Stage, name: string): Stage | undefined {
  if (/^\d+$/.test(name)) return undefined;
  const found = findStage({ ...planner.dockerfile, stages: planner.dockerfile.stages.slice(0, stage.index) }, name);
  return found;
}

function afterStage(planner: Planner, stage: Stage, other: Stage, platform: Platform): Beginning {
  const plan = planner.stage(other);
  const previous = plan.steps.at(-1)?.id;
  if (previous === undefined) throw new Error(`stage ${stage.index} has no steps`);
  const { OnBuild, ...config } = plan.config;
  return { ...plan, config, onBuild: OnBuild ?? [], platform, previous };
}

function fromScratch(planner: Planner, stage: Stage, platform: Platform): Beginning {
  const base: Base = { kind: "scratch" };
  const step = stepId(planner, stage, 0);
  const files: Node = { kind: "base", step, base };
  const config = { Env: [`PATH=${defaultPath}`], WorkingDir: "/" };
  return { files, config, base, history: [], onBuild: [], platform, previous: step, args: new Map() };
}

function fromImage(planner: Planner, reference: string, platform: Platform): Beginning {
  const { node, config } = planner.image(reference, platform);
  const { OnBuild, ...defaults } = config?.config ?? {};
  const env = defaults.Env ?? [];
  return {
    files: node,
    base: node.base,
    config:
      environmentValue(env, "PATH") === undefined ? { ...defaults, Env: [`PATH=${defaultPath}`, ...env] } : defaults,
    ...(config?.author !== undefined && { author: config.author }),
    history: [],
    onBuild: OnBuild ?? [],
    platform,
    previous: node.step,
    args: new Map(),
  };
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function stagerOf(planner: Planner, stage: Stage, beginning: Beginning): Stager {
  const { noCache } = planner.request;
  const stager: Stager = {
    planner,
    stage,
    platform: beginning.platform,
    noCache:
      typeof noCache === "boolean"
        ? noCache
        : noCache.stages.some((name) => findStage(planner.dockerfile, name) === stage),
    config: beginning.config,
    hasOwnCommand: false,
    author: beginning.author,
    files: beginning.files,
    scope: new Scope(planner.dockerfile.escape, () => stager.config.Env ?? []),
  };
  for (const [name, value] of beginning.args) stager.scope.args.set(name, value);
  return stager;
}

function fromStep({ planner, stage }: Stager, names: StepNames, { files, previous }: Beginning): PlannedStep {
  const id = stepId(planner, stage, 0);
  return {
    id,
    name: names.next(stage.from),
    number: 0,
    instruction: stage.from.original,
    stage: shownName(stage),
    span: stage.from.span,
    slot: slotOf(planner, stage, 0),
    ...(files.step === id ? { node: files } : { previous }),
  };
}

/** Does what the instruction says; answers it as the history has it. */
function planInstruction(stager: Stager, instruction: Instruction, step: Digest): string {
  if (isConfigInstruction(instruction)) return configure(stager, instruction, step);
  switch (instruction.kind) {
    case "run":
      return planRun(stager, instruction, step);
    case "copy":
    case "add":
      return planCopy(stager, instruction, step);
    case "arg":
      return declareArgs(stager, instruction);
    case "maintainer":
      stager.author = stager.scope.word(instruction.word);
      return `MAINTAINER ${stager.author}`;
    default:
      throw new Error(`nobody plans ${instruction.kind}`);
  }
}

/** What changes the config; WORKDIR makes its folder too. */
function configure(stager: Stager, instruction: ConfigInstruction, step: Digest): string {
  const { config: before, scope, planner } = stager;
  const { escape } = planner.dockerfile;
  const lookup = (name: string): string | undefined => scope.lookup(name);
  const { hasOwnCommand } = stager;
  stager.config = applyToConfig(before, instruction, { lookup, escape, hasOwnCommand });
  if (instruction.kind === "cmd") stager.hasOwnCommand = true;
  const { WorkingDir: path = "/", User: user = "" } = stager.config;
  if (instruction.kind === "workdir" && path !== "/")
    stager.files = { kind: "workdir", step, below: stager.files, path, user };
  return createdBy(instruction, before, stager.config);
}

function declareArgs({ planner, scope }: Stager, instruction: Extract<Instruction, { readonly kind: "arg" }>): string {
  const { args } = planner.request;
  scope.declare(instruction, args, planner.globals.args);
  const shown = instruction.args.map((arg) => {
    const name = scope.word(arg.name);
    planner.noteArg(name);
    const value = scope.args.get(name);
    return value === undefined ? name : `${name}=${value}`;
  });
  return `ARG ${shown.join(" ")}`;
}

/** `[build 2/5] RUN make`: numbers are of the instructions that make layers. */
class StepNames {
  readonly #prefix: string;
  readonly #total: number;
  #number = 0;

  constructor({ request, dockerfile }: Planner, stage: Stage, instructions: readonly Instruction[]) {
    const platform = platformName(request.platform);
    const words = [
      ...(request.severalPlatforms ? [platform] : []),
      ...(stage.name === undefined && dockerfile.stages.length === 1 ? [] : [shownName(stage)]),
    ];
    this.#prefix = words.map((word) => `${word} `).join("");
    this.#total = 1 + instructions.filter(({ kind }) => makesLayer.has(kind)).length;
  }

  next(instruction: { readonly kind: string; readonly original: string }): string {
    const counts = instruction.kind === "from" || makesLayer.has(instruction.kind);
    if (counts) this.#number++;
    const place = counts ? `${this.#number}/${this.#total}` : "";
    const label = `${this.#prefix}${place}`.trim();
    return label === "" ? instruction.original : `[${label}] ${instruction.original}`;
  }
}

const makesLayer: ReadonlySet<string> = new Set(["run", "copy", "add", "workdir"]);

function stepId(planner: Planner, stage: Stage, index: number): Digest {
  return digestOf([planner.request.slot, platformName(planner.request.platform), stage.index, index].join("\0"));
}

function slotOf(planner: Planner, stage: Stage, index: number): string {
  return [planner.request.slot, platformName(planner.request.platform), shownName(stage), index].join("\0");
}
