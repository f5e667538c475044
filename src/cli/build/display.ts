import type { BuildMessage, BuildStepMessage } from "#api/client";

/** Shows a build as it goes. */
export interface Display {
  show(message: BuildMessage): void;
  /** Writes what is still to be said, and leaves the terminal as it was. */
  close(): void;
}

/** A step as it is shown. */
export interface ShownStep {
  readonly message: BuildStepMessage;
  startedMs?: number;
  endedMs?: number;
  outcome?: "done" | "cached" | "failed" | "cancelled";
  error?: string;
  reason?: string;
}

/** The steps that have been told of, in the order of the plan. */
export class ShownSteps {
  readonly all: ShownStep[] = [];
  readonly #byId = new Map<string, ShownStep>();

  /** Takes a message; the step that it is about. */
  take(message: BuildMessage): ShownStep | undefined {
    switch (message.Kind) {
      case "plan":
        for (const step of message.Steps) this.#add(step);
        return undefined;
      case "started": {
        const step = this.#byId.get(message.Step);
        if (step !== undefined) step.startedMs ??= Date.parse(message.Time);
        return step;
      }
      case "ended": {
        const step = this.#byId.get(message.Step);
        if (step === undefined) return undefined;
        step.endedMs = Date.parse(message.Time);
        step.startedMs ??= step.endedMs;
        step.outcome = message.Outcome;
        if (message.Error !== undefined) step.error = message.Error;
        if (message.Reason !== undefined) step.reason = message.Reason;
        return step;
      }
      case "output":
      case "progress":
        return this.#byId.get(message.Step);
      default:
        return undefined;
    }
  }

  #add(message: BuildStepMessage): void {
    if (this.#byId.has(message.ID)) return;
    const step: ShownStep = { message };
    this.#byId.set(message.ID, step);
    this.all.push(step);
  }
}

/** Seconds between two times, as `1.2s`. */
export function seconds(startMs: number | undefined, endMs: number | undefined): string {
  return `${(Math.max(0, (endMs ?? 0) - (startMs ?? 0)) / 1000).toFixed(1)}s`;
}

/** What would move a terminal's cursor or change its colours is not printed: output of a build is anybody's. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/\u001b\[[0-9;?]*[ -/]*[@-~]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}
