import type { Lease, StackLayer } from "#images";
import type { Digest } from "#core/digest";
import type { Ingredients } from "../cache/ingredients.ts";
import type { StepWatcher } from "./shared-steps.ts";

/** What a node makes: the files of an image in the making. */
export interface Files {
  readonly stack: Digest | undefined;
  /** Base first. */
  readonly layers: readonly StackLayer[];
}

/** A layer and the stack with it. */
export interface Layered {
  readonly layer: StackLayer;
  readonly stack: Digest;
}

/** What is to be done for a node whose inputs are there, unless its result is. */
export interface Work {
  readonly ingredients: Ingredients;
  /** It makes its layer on nothing, which is then put on what is below (`--link`). */
  readonly detached: boolean;
  /** Undefined: it changed no file. The lease protects the result. */
  run(watcher: StepWatcher, lease: Lease, signal: AbortSignal): Promise<Layered | undefined>;
}
