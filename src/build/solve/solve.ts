import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import { chainIdsOf, type Images, type Lease } from "#images";
import type { Ingredients } from "../cache/ingredients.ts";
import type { ImportedResult } from "../cache/inline-cache.ts";
import type { StepResult, StepResults } from "../cache/results.ts";
import type { Slots } from "../cache/slots.ts";
import type { EventQueue } from "../events.ts";
import { type BaseNode, type Graph, inputsOf, type Node, type PlannedStep } from "../graph/graph.ts";
import type { Turnstile } from "#core/turnstile";
import { Progress } from "./progress.ts";
import type { SharedSteps } from "./shared-steps.ts";
import type { Files, Layered, Work } from "./work.ts";

/** What all builds of a daemon share. */
export interface SolveParts {
  readonly images: Images;
  readonly results: StepResults;
  readonly slots: Slots;
  readonly shared: SharedSteps<Made>;
  /** How many steps run at once. */
  readonly atOnce: Turnstile;
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

export interface SolvedKey {
  readonly key: Digest;
  readonly createdNs: bigint;
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
  readonly request: SolveRequest;
  readonly #parts: SolveParts;
  readonly #signal: AbortSignal;
  readonly #files = new Map<Node, Promise<Files>>();
  readonly #layered = new Map<Node, bigint>();
  readonly #keys = new Map<Node, SolvedKey>();
  readonly #progress: Progress;

  constructor(parts: SolveParts, request: SolveRequest, signal: AbortSignal) {
    this.#parts = parts;
    this.request = request;
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

  /** The key that a solved node was looked up under, and when its result was made; undefined of bases. */
  keyOf(node: Node): SolvedKey | undefined {
    return this.#keys.get(node);
  }

  /** Images have been found, and told of, by now. */
  async #base({ base, step }: BaseNode): Promise<Files> {
    const { layers: store } = this.#parts.images;
    const layers = base.kind === "scratch" ? [] : await store.ofImage(base.id);
    const stack = chainIdsOf(layers.map(({ diffId }) => diffId)).at(-1);
    if (stack !== undefined) this.request.lease.protectLayer(stack);
    for (const { blob } of layers) this.request.lease.protect(blob.digest);
    const ending = { outcome: "done", ...(base.kind === "image" && { result: base.id }) } as const;
    const own = this.request.graph.steps.find(({ id }) => id === step);
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
      const work = await this.request.prepare(node, below.stack, async (input) => await this.files(input));
      const files = await this.#result(node, step, below, work);
      return files;
    } catch (error) {
      this.#progress.failed(step, error, this.#signal.aborted);
      throw error;
    }
  }

  async #result(node: WorkNode, step: PlannedStep, below: Files, work: Work): Promise<Files> {
    const { results, images } = this.#parts;
    const { ingredients } = work;
    const under = work.detached ? undefined : below.stack;
    const before = this.request.explain ? this.#parts.slots.get(step.slot) : undefined;
    const isFresh = "noCache" in node && node.noCache;
    const hit = isFresh ? undefined : (results.take(ingredients.key) ?? this.request.imported.get(ingredients.key));
    const reason = hit === undefined ? missReason(ingredients, before, isFresh) : undefined;
    if (hit !== undefined) this.#progress.started(step);
    const made = hit === undefined ? await this.#run(node, step, under, work) : takenFrom(hit);
    this.#keys.set(node, { key: ingredients.key, createdNs: made.createdNs });
    this.#parts.slots.put(step.slot, ingredients);
    const { lease } = this.request;
    let files = below;
    if (made.layered !== undefined) {
      this.#layered.set(node, made.createdNs);
      const { layer } = made.layered;
      lease.protect(layer.blob.digest);
      if (!work.detached) lease.protectLayer(made.layered.stack);
      const stack = work.detached
        ? await images.layers.put(below.stack, layer, lease, this.#signal)
        : made.layered.stack;
      lease.protectLayer(stack);
      files = { stack, layers: [...below.layers, layer] };
    }
    this.#progress.ended(step, {
      outcome: hit === undefined ? "done" : "cached",
      ...(this.request.explain && { reason: reason ?? "nothing that it is made of has changed" }),
      ...(files.stack !== undefined && { result: files.stack }),
    });
    return files;
  }

  /** Does the work, unless another build is at it. */
  async #run(node: WorkNode, step: PlannedStep, below: Digest | undefined, work: Work): Promise<Made> {
    const { images, results, shared } = this.#parts;
    const { key } = work.ingredients;
    const isFresh = "noCache" in node && node.noCache;
    this.#progress.started(step);
    return await shared.run(
      isFresh ? `${this.request.buildId} ${key}` : key,
      async (watcher, signal) => {
        // Its own: the build that began it may be gone while another still waits for it.
        await using lease = images.layers.lease();
        const layered = await this.#parts.atOnce.pass(async () => await work.run(watcher, lease, signal));
        const { createdNs } = results.add({
          key,
          below,
          stack: layered?.stack ?? below,
          ...(layered !== undefined && { layer: layered.layer }),
          description: step.instruction,
        });
        return { layered, createdNs };
      },
      {
        output: async (stream, bytes) => {
          this.request.events.tell({
            kind: "output",
            step: step.id,
            stream,
            bytes,
            timeNs: this.#parts.clock.now(),
          });
          await this.request.events.room(this.#signal);
        },
      },
      this.#signal,
    );
  }

  #stepOf(node: Node): PlannedStep {
    const step = this.request.graph.steps.find(({ id }) => id === node.step);
    if (step === undefined) throw new Error(`node of no step: ${node.step}`);
    return step;
  }
}

function takenFrom(hit: StepResult | ImportedResult): Made {
  const { layer, stack, createdNs } = hit;
  return { layered: layer === undefined || stack === undefined ? undefined : { layer, stack }, createdNs };
}

function missReason(ingredients: Ingredients, before: Ingredients | undefined, isFresh: boolean): string {
  if (isFresh) return "it was asked for without the cache";
  if (before === undefined) return "it was not built here before";
  const changes = ingredients.changesSince(before);
  return changes.length === 0 ? "its result is no longer in the cache" : changes.join(", ");
}
