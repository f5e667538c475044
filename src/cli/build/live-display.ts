import type { BuildMessage } from "#api/client";
import { type Display, printable, seconds, type ShownStep, ShownSteps } from "./display.ts";

const redrawMs = 100;
const shownLines = 6;

/** Where a live display is drawn. */
export interface LiveScreen {
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
}

/** A table on a terminal that follows the build: steps with their times, the last lines of those that run; at most ten times a second. */
export class LiveDisplay implements Display {
  readonly #screen: LiveScreen;
  readonly #now: () => number;
  readonly #steps = new ShownSteps();
  readonly #tails = new Map<ShownStep, string[]>();
  readonly #progress = new Map<ShownStep, Map<string, string>>();
  /** When steps began by our own clock: the daemon's may be another machine's. */
  readonly #begunMs = new Map<ShownStep, number>();
  readonly #startedMs: number;
  readonly #timer: NodeJS.Timeout;
  #drawnRows = 0;
  #isClosed = false;

  constructor(screen: LiveScreen, now: () => number = Date.now) {
    this.#screen = screen;
    this.#now = now;
    this.#startedMs = now();
    this.#timer = setInterval(() => this.#draw(false), redrawMs);
  }

  show(message: BuildMessage): void {
    const step = this.#steps.take(message);
    if (step === undefined) return;
    if (message.Kind === "started") this.#begunMs.set(step, this.#now());
    if (message.Kind === "output") this.#output(step, Buffer.from(message.Data, "base64").toString("utf8"));
    if (message.Kind === "progress") {
      const parts = this.#progress.get(step) ?? new Map<string, string>();
      const total = message.Total === undefined ? "" : ` / ${megabytes(message.Total)}`;
      parts.set(message.ID, `${message.ID.slice(0, 20)} ${megabytes(message.Current)}${total}`);
      this.#progress.set(step, parts);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#draw(true);
  }

  #output(step: ShownStep, text: string): void {
    const tail = this.#tails.get(step) ?? [""];
    const [first = "", ...more] = text.split("\n");
    tail.push(`${tail.pop() ?? ""}${first}`.slice(-4096), ...more);
    this.#tails.set(step, tail.slice(-shownLines - 1));
  }

  #draw(isLast: boolean): void {
    const steps = this.#steps.all.filter(
      ({ message, startedMs }) => startedMs !== undefined && message.Metadata !== true,
    );
    const planned = this.#steps.all.filter(({ message }) => message.Metadata !== true);
    const done = planned.filter(({ outcome }) => outcome === "done" || outcome === "cached").length;
    const head = `[+] Building ${seconds(this.#startedMs, this.#now())} (${done}/${planned.length})${isLast ? " FINISHED" : ""}`;
    const body = steps.flatMap((step) => this.#rowsOf(step));
    const room = Math.max(3, this.#screen.rows - 2);
    // What runs is at the end: the oldest rows give way.
    const rows = [head, ...(isLast || body.length <= room ? body : body.slice(-room))];
    const up = this.#drawnRows === 0 ? "" : `\u001b[${this.#drawnRows}A\r\u001b[J`;
    this.#screen.write(`${up}${rows.map((row) => cut(row, this.#screen.columns)).join("\n")}\n`);
    this.#drawnRows = rows.length;
  }

  #rowsOf(step: ShownStep): string[] {
    const time =
      step.endedMs === undefined
        ? seconds(this.#begunMs.get(step), this.#now())
        : seconds(step.startedMs, step.endedMs);
    const mark = { cached: "CACHED ", failed: "ERROR ", cancelled: "CANCELED ", done: "" }[step.outcome ?? "done"];
    const width = Math.max(10, this.#screen.columns - time.length - 2);
    const title = cut(` => ${mark}${printable(step.message.Name)}`, width).padEnd(width);
    const rows = [`${title} ${time}`];
    if (step.reason !== undefined) rows.push(` => => because: ${printable(step.reason)}`);
    if (step.outcome !== undefined) return rows;
    const parts = [...(this.#progress.get(step)?.values() ?? [])].slice(-shownLines);
    const tail = (this.#tails.get(step) ?? []).filter((line) => line !== "").slice(-shownLines);
    return [
      ...rows,
      ...parts.map((part) => ` => => ${printable(part)}`),
      ...tail.map((line) => ` => => # ${printable(line)}`),
    ];
  }
}

/** By characters: what is wider than one is rare in a build's output. */
function cut(text: string, columns: number): string {
  return Array.from(text).slice(0, Math.max(1, columns)).join("");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)}MB`;
}
