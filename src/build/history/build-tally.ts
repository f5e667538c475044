import type { Digest } from "#core/digest";
import type { BuildEvent } from "../build.ts";

/** Counts the Dockerfile's steps that a build has done, for its record. */
export class BuildTally {
  readonly #steps = new Set<Digest>();
  #cached = 0;

  get counts(): { readonly steps: number; readonly cachedSteps: number } {
    return { steps: this.#steps.size, cachedSteps: this.#cached };
  }

  see(event: BuildEvent): void {
    if (event.kind === "plan")
      for (const { id, number, isMetadata } of event.steps) {
        if (number > 0 && isMetadata !== true) this.#steps.add(id);
      }
    if (event.kind === "ended" && event.outcome === "cached" && this.#steps.has(event.step)) this.#cached++;
  }
}
