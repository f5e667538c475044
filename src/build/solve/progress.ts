import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import { isFault } from "#core/fault";
import type { BuildEvent } from "../build.ts";
import type { PlannedStep } from "../graph/graph.ts";

type Ending = Omit<Extract<BuildEvent, { readonly kind: "ended" }>, "kind" | "step" | "timeNs">;

/** Tells how the steps go. Those that change no file are done when the one before them in their stage is. */
export class Progress {
  readonly #steps: readonly PlannedStep[];
  readonly #clock: Clock;
  readonly #tell: (event: BuildEvent) => void;
  readonly #done = new Set<Digest>();
  readonly #failures = new Set<unknown>();

  constructor(steps: readonly PlannedStep[], clock: Clock, tell: (event: BuildEvent) => void) {
    this.#steps = steps;
    this.#clock = clock;
    this.#tell = tell;
  }

  started(step: PlannedStep): void {
    this.#tell({ kind: "started", step: step.id, timeNs: this.#clock.now() });
  }

  ended(step: PlannedStep, ending: Ending): void {
    this.#tell({ kind: "ended", step: step.id, timeNs: this.#clock.now(), ...ending });
    if (ending.outcome === "done" || ending.outcome === "cached") this.reached(step.id, ending);
  }

  /** Goes on behind a step that is done. */
  reached(id: Digest, { outcome, result }: Ending): void {
    this.#done.add(id);
    for (const next of this.#steps) {
      if (next.node !== undefined || next.previous !== id || this.#done.has(next.id)) continue;
      this.started(next);
      this.ended(next, { outcome, ...(result !== undefined && { result }) });
    }
  }

  /** A step that fails because one before it did is not told of. */
  failed(step: PlannedStep, error: unknown, wasAborted: boolean): void {
    if (this.#failures.has(error)) return;
    this.#failures.add(error);
    const isCancelled = wasAborted || isFault(error, "cancelled");
    const message = error instanceof Error ? error.message : String(error);
    this.ended(step, isCancelled ? { outcome: "cancelled" } : { outcome: "failed", error: message });
  }
}
