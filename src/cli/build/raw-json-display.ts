import type { BuildMessage } from "#api/client";
import { type Display, type ShownStep, ShownSteps } from "./display.ts";

/** One JSON document a line, as BuildKit's SolveStatus has them. */
export class RawJsonDisplay implements Display {
  readonly #write: (text: string) => void;
  readonly #steps = new ShownSteps();

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  show(message: BuildMessage): void {
    const step = this.#steps.take(message);
    const status = statusOf(message, step);
    if (status !== undefined) this.#write(`${JSON.stringify(status)}\n`);
  }

  close(): void {
    // Nothing is held back.
  }
}

function statusOf(message: BuildMessage, step: ShownStep | undefined): object | undefined {
  switch (message.Kind) {
    case "plan":
      return { vertexes: message.Steps.map(({ ID, Name, Inputs }) => ({ digest: ID, inputs: Inputs, name: Name })) };
    case "started":
    case "ended":
      return step === undefined ? undefined : { vertexes: [vertexOf(step)] };
    case "output": {
      const stream = message.Stream === "stdout" ? 1 : 2;
      return { logs: [{ vertex: message.Step, stream, data: message.Data, timestamp: message.Time }] };
    }
    case "progress": {
      const { Current, ID, Step, Time, Total } = message;
      return {
        statuses: [
          {
            id: ID,
            vertex: Step,
            current: Current,
            ...(Total !== undefined && { total: Total }),
            timestamp: Time,
            started: Time,
          },
        ],
      };
    }
    case "warning": {
      const short = Buffer.from(message.Message).toString("base64");
      const range = message.Span === undefined ? [] : [rangeOf(message.Span)];
      return { warnings: [{ vertex: message.Step ?? "", level: 1, short, url: message.URL, range }] };
    }
    default:
      return undefined;
  }
}

function vertexOf({ message, startedMs, endedMs, outcome, error }: ShownStep): object {
  const time = (ms: number | undefined): string | undefined =>
    ms === undefined ? undefined : new Date(ms).toISOString();
  return {
    digest: message.ID,
    inputs: message.Inputs,
    name: message.Name,
    started: time(startedMs),
    completed: time(endedMs),
    ...(outcome === "cached" && { cached: true }),
    ...(error !== undefined && { error }),
  };
}

function rangeOf({ Start, End }: NonNullable<Extract<BuildMessage, { Kind: "warning" }>["Span"]>): object {
  return {
    start: { line: Start.Line, character: Start.Column - 1 },
    end: { line: End.Line, character: End.Column - 1 },
  };
}
