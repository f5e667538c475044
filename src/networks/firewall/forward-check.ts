import { clearTimeout, setTimeout } from "node:timers";
import type { Log } from "#core/log";
import { type ForwardObstacle, forwardObstacles } from "#host";
import type { NetworkPrograms } from "../programs.ts";

/** Looks whether other firewalls of the host keep our networks from other machines, and tells it once. */
export class ForwardCheck {
  readonly #programs: NetworkPrograms;
  readonly #table: string;
  readonly #log: Log | undefined;
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #nextMs = 0;

  constructor(programs: NetworkPrograms, table: string, log: Log | undefined) {
    this.#programs = programs;
    this.#table = table;
    this.#log = log;
  }

  /** What is in the way at this moment. */
  async look(): Promise<ForwardObstacle[]> {
    return forwardObstacles(await this.#programs.nftRuleset(), this.#table);
  }

  /** A bridge was made: looks when the daemon has time for it. With thousands of networks the rules are long: not for each. */
  lookSoon(): void {
    if (this.#log === undefined) return;
    const waitMs = Math.max(pauseMs, this.#nextMs - performance.now());
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#nextMs = performance.now() + intervalMs;
      this.#tell().catch((error: unknown) =>
        this.#log?.debug("the host's firewall was not read", { error: String(error) }),
      );
    }, waitMs).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #tell(): Promise<void> {
    for (const { text, remedy } of await this.look()) {
      if (this.#told.has(text)) continue;
      this.#told.add(text);
      this.#log?.warn(text, { remedy });
    }
  }
}

const pauseMs = 500;
const intervalMs = 30_000;
