import type { Dockerfile, Stage } from "#core/dockerfile/dockerfile";
import { Fault } from "#core/fault";
import { type ImageConfig, nativePlatform, type Platform } from "#core/oci";
import { type Digest, digestOf } from "#core/digest";
import { platformName } from "#core/platform";
import type { Base, BaseNode, FilesOf, Graph, PlannedStep } from "./graph.ts";
import { type GivenArgs, globalScope, passingArgs, platformArgs, type Scope } from "./scope.ts";
import { planStage, type StagePlan } from "./plan-stage.ts";
import { findStage, shownName, targetStage } from "./stage-names.ts";

/** What of a build's request decides the graph. */
export interface PlanRequest {
  readonly target?: string;
  readonly args: GivenArgs;
  readonly labels: Readonly<Record<string, string>>;
  readonly platform: Platform;
  /** Several platforms are built: steps say which one they are of. */
  readonly severalPlatforms: boolean;
  /** `--build-context`: contexts with files of their own, and images that stand for others. */
  readonly contexts: Readonly<
    Record<string, { readonly kind: "files" } | { readonly kind: "image"; readonly reference: string }>
  >;
  readonly noCache: boolean | { readonly stages: readonly string[] };
  readonly network: string;
  readonly entitlements: ReadonlySet<string>;
  /** What tells this build from others: where its file and context are. */
  readonly slot: string;
}

/** An image that a file builds on, as it was found. */
export interface KnownImage {
  readonly id: Digest;
  readonly config: ImageConfig;
}

/** An image that must be found before there can be a graph. */
export interface WantedImage {
  readonly reference: string;
  readonly platform: Platform;
}

/** Finds an image among those that are known by now. */
export type KnownImages = (wanted: WantedImage) => KnownImage | undefined;

/**
 * Plans what the target needs, and nothing else. Images that are not known yet are asked for, all at once; what they say (ONBUILD)
 * may ask for more, so this is done until nothing is wanted. Faults: `invalid` with the position.
 */
export function plan(
  dockerfile: Dockerfile,
  request: PlanRequest,
  known: KnownImages,
): { readonly graph: Graph } | { readonly wanted: readonly WantedImage[] } {
  const planner = new Planner(dockerfile, request, known);
  const target = targetStage(dockerfile, request.target);
  const planned = planner.stage(target);
  if (planner.wanted.length > 0) return { wanted: planner.wanted };
  const { files, config, base, history, author } = planned;
  const labels = { ...config.Labels, ...request.labels };
  return {
    graph: {
      platform: request.platform,
      steps: numbered(planner.steps()),
      result: {
        files,
        base,
        history,
        config: { ...config, ...(Object.keys(labels).length > 0 && { Labels: labels }) },
        ...(author !== undefined && { author }),
      },
      unusedArgs: planner.unusedArgs(),
    },
  };
}

/** Plans stages as they are needed, each once. */
export class Planner {
  readonly dockerfile: Dockerfile;
  readonly request: PlanRequest;
  readonly wanted: WantedImage[] = [];
  readonly globals: Scope;
  readonly #known: KnownImages;
  readonly #stages = new Map<number, StagePlan>();
  readonly #planning = new Set<number>();
  readonly #images = new Map<string, BaseNode>();
  readonly #namedArgs = new Set<string>();

  constructor(dockerfile: Dockerfile, request: PlanRequest, known: KnownImages) {
    this.dockerfile = dockerfile;
    this.request = request;
    this.#known = known;
    const stage = shownName(targetStage(dockerfile, request.target));
    this.globals = globalScope(dockerfile, request.args, platformArgs(request.platform, nativePlatform(), stage));
    for (const arg of dockerfile.globalArgs)
      for (const { name } of arg.args) this.#namedArgs.add(this.globals.word(name));
  }

  /** Plans a stage. Fault `invalid` for stages that need each other. */
  stage(stage: Stage): StagePlan {
    const before = this.#stages.get(stage.index);
    if (before !== undefined) return before;
    if (this.#planning.has(stage.index))
      throw new Fault("invalid", `circular dependency detected on stage: ${shownName(stage)}`);
    this.#planning.add(stage.index);
    const planned = planStage(this, stage);
    this.#planning.delete(stage.index);
    this.#stages.set(stage.index, planned);
    return planned;
  }

  /** What `--from` of COPY, ADD and RUN's mounts means: a stage, a context, or an image. */
  filesOf(name: string): FilesOf {
    const stage = findStage(this.dockerfile, name);
    if (stage !== undefined) return { kind: "node", node: this.stage(stage).files };
    const context = this.request.contexts[name];
    if (context?.kind === "files") return { kind: "context", name };
    const reference = context?.reference ?? name;
    return { kind: "node", node: this.image(reference, this.request.platform).node };
  }

  /** An image by its reference; one that is not known yet is noted, and has nothing for now. */
  image(reference: string, platform: Platform): { readonly node: BaseNode; readonly config: ImageConfig | undefined } {
    const known = this.#known({ reference, platform });
    if (known === undefined) this.wanted.push({ reference, platform });
    const key = `${platformName(platform)} ${reference}`;
    const base: Base = known === undefined ? { kind: "scratch" } : { kind: "image", reference, id: known.id, platform };
    const node = this.#images.get(key) ?? { kind: "base", step: imageStepId({ reference, platform }), base };
    this.#images.set(key, node);
    return { node, config: known?.config };
  }

  noteArg(name: string): void {
    this.#namedArgs.add(name);
  }

  /** All steps of the stages that are needed, in the file's order. */
  steps(): PlannedStep[] {
    const stages = [...this.#stages].sort(([a], [b]) => a - b).map(([, stage]) => stage);
    return stages.flatMap(({ steps }) => steps);
  }

  unusedArgs(): string[] {
    const builtIn = (name: string): boolean =>
      passingArgs.includes(name) || /^(?:BUILDKIT_|SOURCE_DATE_EPOCH$)/.test(name);
    return Object.keys(this.request.args)
      .filter((name) => !this.#namedArgs.has(name) && !builtIn(name) && !this.globals.args.has(name))
      .sort();
  }
}

function numbered(steps: readonly PlannedStep[]): PlannedStep[] {
  let number = 0;
  return steps.map((step) => ({ ...step, number: ++number }));
}

/** The step in which an image is found; all that begins with it comes after it. */
export function imageStepId({ reference, platform }: WantedImage): Digest {
  return digestOf(`image ${platformName(platform)} ${reference}`);
}
