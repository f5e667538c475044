import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import { isFault } from "#core/fault";
import type { BuildEvent } from "./build.ts";

/** Tells of what a build does besides its instructions: reading the context, finding images. */
export class InternalSteps {
  readonly #clock: Clock;
  readonly #tell: (event: BuildEvent) => void;

  constructor(clock: Clock, tell: (event: BuildEvent) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Does the work as a step of that name. */
  async run<Result>(
    id: Digest,
    name: string,
    work: (progress: (id: string, currentBytes: number, totalBytes?: number) => void) => Promise<Result>,
  ): Promise<Result> {
    this.#tell({ kind: "plan", steps: [{ id, name, number: 0, instruction: name, inputs: [] }] });
    this.#tell({ kind: "started", step: id, timeNs: this.#clock.now() });
    try {
      const result = await work((part, currentBytes, totalBytes) =>
        this.#tell({
          kind: "progress",
          step: id,
          id: part,
          currentBytes,
          timeNs: this.#clock.now(),
          ...(totalBytes !== undefined && { totalBytes }),
        }),
      );
      this.#tell({ kind: "ended", step: id, timeNs: this.#clock.now(), outcome: "done" });
      return result;
    } catch (error) {
      const isCancelled = isFault(error, "cancelled");
      const message = error instanceof Error ? error.message : String(error);
      const ending = isCancelled
        ? ({ outcome: "cancelled" } as const)
        : ({ outcome: "failed", error: message } as const);
      this.#tell({ kind: "ended", step: id, timeNs: this.#clock.now(), ...ending });
      throw error;
    }
  }
}
