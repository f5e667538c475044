import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import { chainIdsOf, type Images, type Lease, type StackLayer } from "#images";
import type { Ingredients } from "../cache/ingredients.ts";
import type { ImportedResult } from "../cache/imported.ts";
import type { StepResult, StepResults } from "../cache/results.ts";
import type { Slots } from "../cache/slots.ts";
import type { EventQueue } from "../events.ts";
import { type BaseNode, type Graph, inputsOf, type Node, type PlannedStep } from "../graph/graph.ts";
import type { Places } from "#core/places";
import { Progress } from "./progress.ts";
import type { SharedSteps, StepWatcher } from "./shared-steps.ts";
import type { Files, Layered, Work } from "./work.ts";

/** What all builds of a daemon share. */
export interface SolveParts {
  readonly images: Images;
  readonly results: StepResults;
  readonly slots: Slots;
  readonly shared: SharedSteps<Made>;
  /** How many steps run at once. */
  readonly places: Places;
  readonly clock: Clock;
}

/** One build of one graph. */
export interface SolveRequest {
  readonly buildId: string;
  readonly graph: Graph;
  readonly lease: Lease;
  readonly events: EventQueue;
  readonly explain: boolean;
  /** Results of other machines that this build may use (`--cache-from`). */
  readonly imported: ReadonlyMap<Digest, ImportedResult>;
  /** What is to be done for a node; it waits for what the node needs. */
  readonly prepare: (node: WorkNode, below: Digest | undefined, files: (node: Node) => Promise<Files>) => Promise<Work>;
}

export type WorkNode = Exclude<Node, { readonly kind: "base" }>;

/** A step that was solved: the key that it was looked up under, and its result. */
export interface SolvedStep {
  readonly key: Digest;
  readonly createdNs: bigint;
  /** Absent: it changed no file. */
  readonly layer?: StackLayer;
}

/** The result of a step, and when it was made. */
export interface Made {
  readonly layered: Layered | undefined;
  readonly createdNs: bigint;
}

/**
 * Solves a graph: each node once, those that do not need each other together, those that nobody needs never. A node is
 * looked up under the key of all that it is made of, so that the same work is never done twice, in whatever build.
 */
export class Solve {
  readonly #request: SolveRequest;
  readonly #parts: SolveParts;
  readonly #signal: AbortSignal;
  readonly #files = new Map<Node, Promise<Files>>();
  readonly #layered = new Map<Node, bigint>();
  readonly #solved = new Map<Node, SolvedStep>();
  readonly #progress: Progress;

  constructor(parts: SolveParts, request: SolveRequest, signal: AbortSignal) {
    this.#parts = parts;
    this.#request = request;
    this.#signal = signal;
    this.#progress = new Progress(request.graph.steps, parts.clock, (event) => request.events.tell(event));
  }

  /** What a node makes; asked for twice, it is made once. */
  async files(node: Node): Promise<Files> {
    const known = this.#files.get(node);
    if (known !== undefined) return await known;
    const made = node.kind === "base" ? this.#base(node) : this.#make(node);
    this.#files.set(node, made);
    return await made;
  }

  /** Resolves when nothing runs any more, however it ended. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#files.values());
  }

  /** When the layer of a solved node was made; undefined of one that changed nothing. */
  layerNs(node: Node): bigint | undefined {
    return this.#layered.get(node);
  }

  /** What a node was solved with; undefined of bases. */
  solvedStep(node: Node): SolvedStep | undefined {
    return this.#solved.get(node);
  }

  /** All steps that were solved, also those of other stages than the result's. */
  solvedSteps(): SolvedStep[] {
    return [...this.#solved.values()];
  }

  /** Images have been found, and told of, by now. */
  async #base({ base, step }: BaseNode): Promise<Files> {
    const { layers: store } = this.#parts.images;
    const layers = base.kind === "scratch" ? [] : await store.ofImage(base.id);
    const stack = chainIdsOf(layers.map(({ diffId }) => diffId)).at(-1);
    if (stack !== undefined) this.#request.lease.protectLayer(stack);
    for (const { blob } of layers) this.#request.lease.protect(blob.digest);
    const ending = { outcome: "done", ...(base.kind === "image" && { result: base.id }) } as const;
    const own = this.#request.graph.steps.find(({ id }) => id === step);
    if (own === undefined) this.#progress.reached(step, ending);
    else {
      this.#progress.started(own);
      this.#progress.ended(own, ending);
    }
    return { stack, layers };
  }

  async #make(node: WorkNode): Promise<Files> {
    const step = this.#stepOf(node);
    // All that it needs begins now, not one after the other.
    for (const input of inputsOf(node)) this.files(input).catch(() => undefined);
    try {
      const below = await this.files(node.below);
      this.#signal.throwIfAborted();
      const work = await this.#request.prepare(node, below.stack, async (input) => await this.files(input));
      return await this.#result(node, step, below, work);
    } catch (error) {
      this.#progress.failed(step, error, this.#signal.aborted);
      throw error;
    }
  }

  async #result(node: WorkNode, step: PlannedStep, below: Files, work: Work): Promise<Files> {
    const under = work.detached ? undefined : below.stack;
    const before = this.#request.explain ? this.#parts.slots.get(step.slot) : undefined;
    const isFresh = "noCache" in node && node.noCache;
    const mayBeKnown = work.outline === undefined || (!isFresh && this.#isOutlined(work.outline));
    const early = mayBeKnown ? await work.ingredients(this.#signal) : undefined;
    this.#progress.started(step);
    const hit = isFresh || early === undefined ? undefined : await this.#hit(early.key, under);
    const made = hit ?? (await this.#run(step, under, work, isFresh ? undefined : early));
    const ingredients = early ?? (await work.ingredients(this.#signal));
    if (hit === undefined && (isFresh || early === undefined)) this.#keep(step, under, work, ingredients, made);
    this.#parts.slots.put(step.slot, ingredients);
    this.#solved.set(node, {
      key: ingredients.key,
      createdNs: made.createdNs,
      ...(made.layered !== undefined && { layer: made.layered.layer }),
    });
    if (made.layered !== undefined) this.#layered.set(node, made.createdNs);
    const files = await this.#onto(below, work, made);
    const reason =
      hit === undefined ? missReason(ingredients, before, isFresh) : "nothing that it is made of has changed";
    this.#progress.ended(step, {
      outcome: hit === undefined ? "done" : "cached",
      ...(this.#request.explain && { reason }),
      ...(files.stack !== undefined && { result: files.stack }),
    });
    return files;
  }

  /** The files with what was made on top, kept for this build. */
  async #onto(below: Files, work: Work, { layered }: Made): Promise<Files> {
    if (layered === undefined) return below;
    const { lease } = this.#request;
    const { layer } = layered;
    lease.protect(layer.blob.digest);
    if (!work.detached) lease.protectLayer(layered.stack);
    const { layers: store } = this.#parts.images;
    const stack = work.detached ? await store.put(below.stack, layer, lease, this.#signal) : layered.stack;
    lease.protectLayer(stack);
    return { stack, layers: [...below.layers, layer] };
  }

  #isOutlined(outline: Digest): boolean {
    return this.#request.imported.size > 0 || this.#parts.results.hasOutline(outline);
  }

  /** A result that is here, else one of another machine, whose layer comes now. */
  async #hit(key: Digest, below: Digest | undefined): Promise<Made | undefined> {
    const own = this.#parts.results.take(key);
    if (own !== undefined) return takenFrom(own);
    const result = this.#request.imported.get(key);
    const brought = await result?.bring(below, this.#request.lease, this.#signal);
    if (result === undefined || brought === undefined) return undefined;
    return { layered: brought.layered, createdNs: result.createdNs };
  }

  /** Does the work; where its key is known and may be used, unless another build is at it. */
  async #run(
    step: PlannedStep,
    below: Digest | undefined,
    work: Work,
    ingredients: Ingredients | undefined,
  ): Promise<Made> {
    const watcher = this.#watcher(step);
    if (ingredients === undefined) return await this.#done(work, this.#request.lease, watcher, this.#signal);
    return await this.#parts.shared.run(
      ingredients.key,
      async (watcher, signal) => {
        // Its own: the build that began it may be gone while another still waits for it.
        await using lease = this.#parts.images.layers.lease();
        const made = await this.#done(work, lease, watcher, signal);
        this.#keep(step, below, work, ingredients, made);
        return made;
      },
      watcher,
      this.#signal,
    );
  }

  async #done(work: Work, lease: Lease, watcher: StepWatcher, signal: AbortSignal): Promise<Made> {
    using _place = await this.#parts.places.take(signal);
    const layered = await work.run(watcher, lease, signal);
    return { layered, createdNs: this.#parts.clock.now() };
  }

  /** Remembers the result, with a hold on its layers. */
  #keep(
    step: PlannedStep,
    below: Digest | undefined,
    work: Work,
    { key }: Ingredients,
    { layered, createdNs }: Made,
  ): void {
    this.#parts.results.add({
      key,
      below,
      stack: layered?.stack ?? below,
      description: step.instruction,
      createdNs,
      ...(layered !== undefined && { layer: layered.layer }),
      ...(work.outline !== undefined && { outline: work.outline }),
    });
  }

  #watcher({ id }: PlannedStep): StepWatcher {
    return {
      output: async (stream, bytes) => {
        this.#request.events.tell({ kind: "output", step: id, stream, bytes, timeNs: this.#parts.clock.now() });
        await this.#request.events.room(this.#signal);
      },
    };
  }

  #stepOf(node: Node): PlannedStep {
    const step = this.#request.graph.steps.find(({ id }) => id === node.step);
    if (step === undefined) throw new Error(`node of no step: ${node.step}`);
    return step;
  }
}

function takenFrom({ layer, stack, createdNs }: StepResult): Made {
  return { layered: layer === undefined || stack === undefined ? undefined : { layer, stack }, createdNs };
}

function missReason(ingredients: Ingredients, before: Ingredients | undefined, isFresh: boolean): string {
  if (isFresh) return "it was asked for without the cache";
  if (before === undefined) return "it was not built here before";
  const changes = ingredients.changesSince(before);
  return changes.length === 0 ? "its result is no longer in the cache" : changes.join(", ");
}
