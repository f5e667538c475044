import { Fault } from "./fault.ts";

/** A number of places, given out in the order of asking. */
export class Places {
  #free: number;
  readonly #queue: (() => void)[] = [];

  constructor(count: number) {
    this.#free = Math.max(1, count);
  }

  /** Waits for a place and answers how to give it back. Fault `cancelled` when the signal fires first. */
  async take(signal: AbortSignal): Promise<Disposable> {
    if (signal.aborted) throw gone(signal);
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    return { [Symbol.dispose]: () => this.#give() };
  }

  get isFull(): boolean {
    return this.#free === 0;
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      const index = this.#queue.indexOf(resolve);
      if (index >= 0) this.#queue.splice(index, 1);
      reject(gone(signal));
    };
    this.#queue.push(resolve);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #give(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

function gone(signal: AbortSignal): Fault {
  return new Fault("cancelled", "context canceled", { cause: signal.reason });
}
