import { Fault } from "#core/fault";

/** How a pool makes and unmakes what it keeps. */
export interface WarmPoolOptions<Item> {
  /** Makes 1 to `count` items at once; rejects when it cannot make any. */
  prepare(count: number): Promise<Item[]>;
  discard(item: Item): Promise<void>;
  /** Items kept ready once the first was taken. */
  readonly target: number;
  /** Most items made in one go. */
  readonly batch: number;
}

/**
 * Items that are costly to make, made ahead in the background. It refills when half of it is gone, so that the cost of a
 * batch is shared; callers that find it empty are served in order, from batches of what they need. Unused, it is empty.
 */
export class WarmPool<Item> {
  readonly #options: WarmPoolOptions<Item>;
  readonly #ready: Item[] = [];
  /** Bounded by the requests that the daemon serves at once. */
  readonly #waiters: Waiter<Item>[] = [];
  #filling: Promise<void> | undefined;
  #closed = false;

  constructor(options: WarmPoolOptions<Item>) {
    this.#options = options;
  }

  /** The oldest ready item, now the caller's; waits for one when there is none. Rejects with what `prepare` rejects with. */
  async take(signal: AbortSignal): Promise<Item> {
    signal.throwIfAborted();
    if (this.#closed) throw closedFault();
    const item = this.#ready.shift();
    if (item === undefined) return await this.#wait(signal);
    this.#fillInBackground();
    return item;
  }

  /** The items that nobody has taken yet. */
  get ready(): readonly Item[] {
    return this.#ready;
  }

  /** Discards all items and makes no more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(closedFault());
    await this.#filling;
    await this.discardReady();
  }

  /** Discards what is ready; the next `take` makes new ones. */
  async discardReady(): Promise<void> {
    await Promise.all(this.#ready.splice(0).map(async (item) => await this.#options.discard(item)));
  }

  async #wait(signal: AbortSignal): Promise<Item> {
    const { promise, resolve, reject } = Promise.withResolvers<Item>();
    const waiter = { resolve, reject };
    const leave = (): void => {
      const place = this.#waiters.indexOf(waiter);
      if (place >= 0) this.#waiters.splice(place, 1);
      reject(signal.reason instanceof Error ? signal.reason : new Fault("cancelled", "cancelled"));
    };
    this.#waiters.push(waiter);
    signal.addEventListener("abort", leave, { once: true });
    this.#fillInBackground();
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #fillInBackground(): void {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined;
      // Who came when the filling had just looked for the last time.
      if (this.#waiters.length > 0) this.#fillInBackground();
    });
  }

  async #fill(): Promise<void> {
    for (let missing = this.#missing(); missing > 0; missing = this.#missing()) {
      while (missing > 0 && !this.#closed) {
        const count = Math.min(missing, this.#options.batch);
        const waited = this.#waiters.length;
        try {
          for (const item of await this.#options.prepare(count)) this.#hand(item);
          missing -= count;
        } catch (error) {
          // In the background nobody waits: the next one who finds the pool empty gets to hear it.
          for (const waiter of this.#waiters.splice(0, Math.max(waited, 1))) waiter.reject(error);
          if (this.#waiters.length === 0) return;
          break;
        }
      }
    }
  }

  /** Those who wait come first; without them it is what a pool that is half empty lacks. */
  #missing(): number {
    if (this.#waiters.length > 0) return this.#waiters.length;
    const { target } = this.#options;
    return this.#closed || this.#ready.length > target / 2 ? 0 : target - this.#ready.length;
  }

  #hand(item: Item): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#ready.push(item);
    else waiter.resolve(item);
  }
}

function closedFault(): Fault {
  return new Fault("unavailable", "the daemon is shutting down");
}

interface Waiter<Item> {
  resolve(item: Item): void;
  reject(reason: unknown): void;
}
