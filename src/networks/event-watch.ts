import { clearTimeout, setTimeout } from "node:timers";
import type { RunningProgram, Shim } from "#host";

/** What is watched, and how. */
export interface EventWatchOptions {
  readonly shim: Pick<Shim, "run">;
  /** A program that prints a line for each change, without end. */
  readonly argv: readonly string[];
  /** Whether a line is reason to look. */
  concerns(line: string): boolean;
  /** Looks at the whole and mends it; one that fails is called again later. */
  look(): Promise<void>;
  onTrouble(error: unknown): void;
}

/** Notices changes that the kernel tells of, so that nothing is asked while nothing happens: it follows the output of a program. */
export class EventWatch {
  readonly #options: EventWatchOptions;
  #following: Promise<void> | undefined;
  #monitor: RunningProgram | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;

  constructor(options: EventWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch, once. */
  start(): void {
    if (this.#closed) return;
    this.#following ??= this.#follow()
      .catch((error: unknown) => this.#tell(error))
      .finally(() => {
        this.#following = undefined;
      });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#monitor?.[Symbol.asyncDispose]();
    await this.#following;
    await this.#looking;
  }

  async #follow(): Promise<void> {
    const { shim, argv, concerns } = this.#options;
    const monitor = await shim.run({ argv });
    this.#monitor = monitor;
    if (this.#closed) await monitor[Symbol.asyncDispose]();
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of monitor.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = (lines.pop() ?? "").slice(-1000);
      // Changes of our own look the same: what counts is how the whole looks afterwards.
      if (lines.some(concerns)) this.#lookIn(settleMs);
    }
    await monitor.ended;
    if (!this.#closed) this.#again();
  }

  /** It ended, perhaps as too much happened at once for it to follow: what was missed is looked for. */
  #again(): void {
    this.#lookIn(settleMs);
    setTimeout(() => this.start(), pauseMs).unref();
  }

  #lookIn(delayMs: number): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // One after the other: a look that mends must not meet another one.
      this.#looking = (this.#looking ?? Promise.resolve()).then(async () => await this.#look());
    }, delayMs).unref();
  }

  async #look(): Promise<void> {
    if (this.#closed) return;
    await this.#options.look().catch((error: unknown) => {
      this.#tell(error);
      this.#lookIn(pauseMs);
    });
  }

  #tell(error: unknown): void {
    if (!this.#closed) this.#options.onTrouble(error);
  }
}

/** A reload of another firewall, or of the host's network, is many changes; it is waited for. */
const settleMs = 300;
const pauseMs = 5000;
