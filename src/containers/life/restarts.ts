import { Turnstile } from "../turnstile.ts";
import { nextDelayMs } from "./restart-policy.ts";

/** Starts that policies have ordered: each waits for its time, few run at once. Before `begin` none runs. */
export class Restarts {
  readonly #delays = new Map<string, number>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #running = new Set<Promise<void>>();
  /** Each is several programs and a network. */
  readonly #turnstile = new Turnstile(4);
  readonly #start: (id: string) => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  /** Lengths of the last runs of those ordered before `begin`. */
  #held: Map<string, number> | undefined = new Map();
  #isClosed = false;

  constructor(start: (id: string) => Promise<void>, onFailure: (error: unknown) => void) {
    this.#start = start;
    this.#onFailure = onFailure;
  }

  /** Orders a start after Docker's back-off for a run of that length. */
  order(id: string, ranMs: number): void {
    if (this.#held !== undefined) {
      this.#held.set(id, ranMs);
      return;
    }
    if (this.#isClosed) return;
    this.cancel(id);
    const delayMs = nextDelayMs(this.#delays.get(id) ?? 0, ranMs);
    this.#delays.set(id, delayMs);
    this.#timers.set(
      id,
      setTimeout(() => this.#run(id), delayMs),
    );
  }

  /** Takes an order back, if it has not begun. */
  cancel(id: string): void {
    this.#held?.delete(id);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  /** A person acted, or it is gone: the back-off begins anew. */
  forget(id: string): void {
    this.cancel(id);
    this.#delays.delete(id);
  }

  /** Lets the orders go, those before this call too. */
  begin(): void {
    const held = this.#held ?? new Map<string, number>();
    this.#held = undefined;
    for (const [id, ranMs] of held) this.order(id, ranMs);
  }

  /** Takes all orders back, and waits for those under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const id of [...this.#timers.keys()]) this.cancel(id);
    await Promise.all(this.#running);
  }

  #run(id: string): void {
    this.#timers.delete(id);
    const running = this.#turnstile
      .pass(async () => {
        if (!this.#isClosed) await this.#start(id);
      })
      .catch(this.#onFailure)
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
