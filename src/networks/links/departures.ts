import { clearTimeout, setTimeout } from "node:timers";
import { removalLine } from "./link-commands.ts";
import type { Machine } from "#host";
import type { NetworkPrograms } from "../programs.ts";

/**
 * Endpoints whose container has ended. Their links vanish with the network namespace, by the kernel's own work and in its
 * own time; an address is given back only when its link is seen to be gone. A link that stays (somebody else still holds
 * the namespace) is removed.
 */
export class Departures {
  readonly #programs: NetworkPrograms;
  readonly #machine: Pick<Machine, "hasLink">;
  /** What to do when the link of that name is gone. */
  readonly #leaving = new Map<string, () => void>();
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(programs: NetworkPrograms, machine: Pick<Machine, "hasLink">) {
    this.#programs = programs;
    this.#machine = machine;
  }

  /**
   * The endpoint's container has ended, or its prepared slot was given up.
   *
   * @param free - gives its addresses back
   */
  add(link: string, free: () => void): void {
    this.#leaving.set(link, free);
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // A failure leaves the endpoints waiting: the next sweep sees to them.
      this.sweep().catch(() => undefined);
    }, graceMs).unref();
  }

  /** Whether the link belongs to an endpoint that is on its way out. */
  has(link: string): boolean {
    return this.#leaving.has(link);
  }

  /** Removes the links that are still there and gives all addresses back. */
  async sweep(): Promise<void> {
    const sweep = this.#sweeping.then(async () => await this.#sweepOnce());
    this.#sweeping = sweep.catch(() => undefined);
    await sweep;
  }

  /** Sweeps a last time. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.sweep();
  }

  async #sweepOnce(): Promise<void> {
    const leaving = [...this.#leaving.keys()];
    if (leaving.length === 0) return;
    const stayed = leaving.filter((link) => this.#machine.hasLink(link));
    await this.#programs.linksEach(stayed.map(removalLine));
    for (const link of leaving) {
      const free = this.#leaving.get(link);
      if (free === undefined || this.#machine.hasLink(link)) continue;
      this.#leaving.delete(link);
      free();
    }
  }
}

/** The kernel takes some tens of milliseconds; asking later costs nothing but the address's wait. */
const graceMs = 2000;
