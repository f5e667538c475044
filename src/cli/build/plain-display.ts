import { StringDecoder } from "node:string_decoder";
import type { BuildMessage } from "#api/client";
import { type Display, seconds, type ShownStep, ShownSteps } from "./display.ts";

/** Lines as BuildKit's plain progress has them: `#5 [build 2/5] RUN make`, `#5 0.123 text`, `#5 DONE 1.2s`. */
export class PlainDisplay implements Display {
  readonly #write: (text: string) => void;
  readonly #steps = new ShownSteps();
  readonly #numbers = new Map<ShownStep, number>();
  readonly #lines = new Map<ShownStep, { readonly decoder: StringDecoder; rest: string; timeMs: number }>();
  /** Whose lines come now. */
  #current: ShownStep | undefined;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  show(message: BuildMessage): void {
    const step = this.#steps.take(message);
    if (step === undefined) return;
    switch (message.Kind) {
      case "started":
        if (!isBare(step)) this.#turnTo(step);
        return;
      case "output":
        return this.#output(step, Buffer.from(message.Data, "base64"), Date.parse(message.Time));
      case "ended":
        return this.#ended(step);
      default:
    }
  }

  close(): void {
    for (const step of this.#lines.keys()) this.#flush(step);
  }

  #output(step: ShownStep, bytes: Buffer, timeMs: number): void {
    const lines = this.#lines.get(step) ?? { decoder: new StringDecoder("utf8"), rest: "", timeMs };
    this.#lines.set(step, lines);
    const [...whole] = (lines.rest + lines.decoder.write(bytes)).split("\n");
    lines.rest = whole.pop() ?? "";
    lines.timeMs = timeMs;
    for (const line of whole) this.#line(step, line, timeMs);
  }

  #line(step: ShownStep, line: string, timeMs: number): void {
    this.#turnTo(step);
    const since = (Math.max(0, timeMs - (step.startedMs ?? timeMs)) / 1000).toFixed(3);
    this.#write(`#${this.#number(step)} ${since} ${line.replace(/\r$/, "")}\n`);
  }

  #flush(step: ShownStep): void {
    const lines = this.#lines.get(step);
    if (lines !== undefined && lines.rest !== "") this.#line(step, lines.rest, lines.timeMs);
    this.#lines.delete(step);
  }

  #ended(step: ShownStep): void {
    if (isBare(step)) return;
    this.#flush(step);
    this.#turnTo(step);
    const number = this.#number(step);
    if (step.reason !== undefined) this.#write(`#${number} because: ${step.reason}\n`);
    this.#write(`#${number} ${ending(step)}\n\n`);
    this.#current = undefined;
  }

  #number(step: ShownStep): number {
    const number = this.#numbers.get(step) ?? this.#numbers.size + 1;
    this.#numbers.set(step, number);
    return number;
  }

  #turnTo(step: ShownStep): void {
    if (this.#current === step) return;
    if (this.#current !== undefined) this.#write("\n");
    this.#current = step;
    this.#write(`#${this.#number(step)} ${step.message.Name}\n`);
  }
}

/** BuildKit has no step for what changes no file. */
function isBare(step: ShownStep): boolean {
  return step.message.Metadata === true;
}

function ending(step: ShownStep): string {
  switch (step.outcome) {
    case "cached":
      return "CACHED";
    case "failed":
      return `ERROR: ${step.error ?? "failed"}`;
    case "cancelled":
      return "CANCELED";
    default:
      return `DONE ${seconds(step.startedMs, step.endedMs)}`;
  }
}
