import { createHash } from "node:crypto";
import { progressLine } from "#api/wire";
import type { BuildEvent, BuildResult, Step } from "#build";
import type { Digest } from "#core/digest";
import { shortId } from "#core/ids";
import { ClippedLines } from "./clipped-lines.ts";

/** What the words depend on. */
export interface ClassicOptions {
  /** `rm`: tell that containers of RUN are gone. */
  readonly removes: boolean;
}

/**
 * Tells a build in the words of Docker's classic builder, which knows one step after the other: what a later step says is
 * held back, within a bound, until those before it are done.
 */
export class ClassicOutput {
  readonly #options: ClassicOptions;
  readonly #byId = new Map<Digest, Told>();
  /** In the Dockerfile's order. */
  #order: Told[] = [];
  /** The step that may speak. */
  #turn = 0;
  #heldBytes = 0;
  readonly #unusedArgs: string[] = [];

  constructor(options: ClassicOptions) {
    this.#options = options;
  }

  /** The lines that can go out now. */
  take(event: BuildEvent): string[] {
    switch (event.kind) {
      case "plan":
        return this.#plan(event.steps);
      case "started":
        return this.#advance();
      case "ended": {
        const told = this.#byId.get(event.step);
        if (told === undefined) return [];
        told.ending = event;
        return this.#advance();
      }
      case "output": {
        const told = this.#byId.get(event.step);
        if (told === undefined) return [];
        return this.#output(told, event.stream, event.bytes);
      }
      case "progress":
        return layerId.test(event.id) ? [downloadLine(event)] : [];
      case "warning":
        // Docker's own tells of this one alone.
        if (event.warning.rule === "UnusedBuildArg") this.#unusedArgs.push(event.warning.message);
        return [];
      case "result":
        break;
    }
    return this.#end(event.result);
  }

  /** What is to be said of a build that failed, before its error: the step that failed, and those before it as far as they came. */
  failed(): string[] {
    const last = this.#order.findIndex(({ ending }) => ending?.outcome === "failed");
    const lines: string[] = [];
    while (this.#turn <= last) lines.push(...this.#speak(), ...this.#next());
    return lines;
  }

  #plan(steps: readonly Step[]): string[] {
    for (const step of steps) {
      if (step.number > 0 && !this.#byId.has(step.id)) this.#byId.set(step.id, new Told(step));
    }
    this.#order = [...this.#byId.values()].toSorted((left, right) => left.step.number - right.step.number);
    return this.#advance();
  }

  #output(told: Told, stream: "stdout" | "stderr", bytes: Uint8Array): string[] {
    const text = told.decode(stream, bytes);
    if (this.#order[this.#turn] === told) return [...this.#speak(), ...told.running(), outputLine(stream, text)];
    this.#heldBytes += told.held.add(outputLine(stream, text), mostHeldBytes - this.#heldBytes);
    return [];
  }

  /** Goes on behind the steps that have ended. */
  #advance(): string[] {
    const lines: string[] = [];
    for (;;) {
      const told = this.#order[this.#turn];
      if (told === undefined) return lines;
      lines.push(...this.#speak());
      const outcome = told.ending?.outcome;
      if (outcome !== "done" && outcome !== "cached") return lines;
      lines.push(...this.#next());
    }
  }

  /** The step whose turn it is says its name, and what was held back. */
  #speak(): string[] {
    const told = this.#order[this.#turn];
    if (told === undefined) return [];
    const lines: string[] = [];
    if (!told.isNamed) {
      told.isNamed = true;
      lines.push(streamLine(`Step ${told.step.number}/${this.#order.length} : ${told.step.instruction}\n`));
    }
    const { lines: held, bytes, clippedBytes } = told.held.take();
    this.#heldBytes -= bytes;
    if (held.length > 0 || clippedBytes > 0) lines.push(...told.running());
    if (clippedBytes > 0) lines.push(streamLine(`[output clipped: ${clippedBytes} bytes came before the following]\n`));
    return [...lines, ...held];
  }

  /** The end of the step whose turn it is. */
  #next(): string[] {
    const told = this.#order[this.#turn++];
    if (told === undefined) return [];
    const { ending } = told;
    if (ending?.outcome === "cached") return [streamLine(" ---> Using cache\n"), ...told.result()];
    const lines = ending?.outcome === "done" ? told.running() : [];
    if (ending?.outcome !== "done") return lines;
    if (told.isRun && this.#options.removes)
      lines.push(streamLine(` ---> Removed intermediate container ${told.containerId}\n`));
    return [...lines, ...told.result()];
  }

  #end({ imageId, tags }: BuildResult): string[] {
    const lines: string[] = [];
    // All have ended; a step that nobody told of is said all the same.
    while (this.#turn < this.#order.length) lines.push(...this.#speak(), ...this.#next());
    for (const message of this.#unusedArgs) lines.push(outputLine("stderr", `${message}\n`));
    if (imageId === undefined) return lines;
    lines.push(progressLine({ aux: { ID: imageId } }), streamLine(`Successfully built ${shortId(imageId)}\n`));
    for (const tag of tags) lines.push(streamLine(`Successfully tagged ${tag}\n`));
    return lines;
  }
}

/** What is held back of all steps together. */
const mostHeldBytes = 8 << 20;
const layerId = /^(?:sha256:)?[0-9a-f]{12,64}$/;

/** A step, and what was said of it. */
class Told {
  readonly step: Step;
  readonly isRun: boolean;
  readonly held = new ClippedLines();
  ending: Extract<BuildEvent, { readonly kind: "ended" }> | undefined;
  isNamed = false;
  #isRunning = false;
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };

  constructor(step: Step) {
    this.step = step;
    this.isRun = /^RUN\b/i.test(step.instruction);
  }

  /** Docker names the container; ours is gone with the step, and has a name only here. */
  get containerId(): string {
    return shortId(createHash("sha256").update(`container of ${this.step.id}`).digest("hex"));
  }

  /** A piece may end within a character. */
  decode(stream: "stdout" | "stderr", bytes: Uint8Array): string {
    return this.#decoders[stream].decode(bytes, { stream: true });
  }

  running(): string[] {
    if (this.#isRunning || !this.isRun) return [];
    this.#isRunning = true;
    return [streamLine(` ---> Running in ${this.containerId}\n`)];
  }

  result(): string[] {
    return [streamLine(` ---> ${shortId(this.ending?.result ?? this.step.id)}\n`)];
  }
}

function streamLine(text: string): string {
  return progressLine({ stream: text });
}

/** Docker's classic builder colours what went to standard error; there is no other sign of it. */
function outputLine(stream: "stdout" | "stderr", text: string): string {
  if (text === "") return "";
  return streamLine(stream === "stdout" ? text : `\u001b[91m${text}\u001b[0m`);
}

function downloadLine({ id, currentBytes, totalBytes }: Extract<BuildEvent, { readonly kind: "progress" }>): string {
  const progressDetail = { current: currentBytes, ...(totalBytes !== undefined && { total: totalBytes }) };
  return progressLine({ status: "Downloading", progressDetail, id: shortId(id) });
}
