import { clearTimeout, setTimeout } from "node:timers";
import type { RunningProgram, Shim } from "#host";

/** What the watch needs. */
export interface FirewallWatchOptions {
  readonly shim: Pick<Shim, "run">;
  readonly table: string;
  /** Whether the table is as it was written. */
  isWhole(): Promise<boolean>;
  /** Writes it anew, and tells. */
  repair(): Promise<void>;
  onTrouble(error: unknown): void;
}

/**
 * Notices when somebody takes our table away, or parts of it (`nft flush ruleset`, the reload of another firewall), and has it
 * written anew. The kernel tells each removal to `nft monitor`, so that nothing is asked while nothing happens.
 */
export class FirewallWatch {
  readonly #options: FirewallWatchOptions;
  #following: Promise<void> | undefined;
  #monitor: RunningProgram | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: FirewallWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch, once. */
  start(): void {
    if (this.#closed) return;
    this.#following ??= this.#follow()
      .catch((error: unknown) => {
        if (!this.#closed) this.#options.onTrouble(error);
      })
      .finally(() => {
        this.#following = undefined;
      });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#monitor?.[Symbol.asyncDispose]();
    await this.#following;
  }

  async #follow(): Promise<void> {
    // Removals of our own look the same: what counts is how the table looks afterwards.
    const removal = new RegExp(`^delete (?:table|chain|rule|set|map) (?:inet|ip6?) ${this.#options.table}(?: |$)`);
    const monitor = await this.#options.shim.run({ argv: ["nft", "monitor", "destroy"] });
    this.#monitor = monitor;
    if (this.#closed) await monitor[Symbol.asyncDispose]();
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of monitor.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = (lines.pop() ?? "").slice(-1000);
      if (lines.some((line) => removal.test(line))) this.#lookSoon();
    }
    await monitor.ended;
    if (!this.#closed) this.#again();
  }

  /** It ended, perhaps as too much happened at once for it to follow: what was missed is looked for. */
  #again(): void {
    this.#lookSoon();
    setTimeout(() => this.start(), pauseMs).unref();
  }

  #lookSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#look().catch((error: unknown) => this.#options.onTrouble(error));
    }, settleMs).unref();
  }

  async #look(): Promise<void> {
    if (this.#closed || (await this.#options.isWhole())) return;
    await this.#options.repair();
  }
}

/** A reload of another firewall is many changes; it is waited for. */
const settleMs = 300;
const pauseMs = 5000;
