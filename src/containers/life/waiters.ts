import type { WaitCondition } from "../containers.ts";

/** What a wait ends with. */
export interface WaitResult {
  readonly exitCode: number;
  readonly error?: string;
}

/** Those who wait for a container's end or removal. */
export class Waiters {
  readonly #waiting = new Map<string, Set<Waiter>>();

  /** Registers a wait; it is taken away when the signal aborts (the promise then rejects with the signal's reason). */
  add(id: string, condition: Exclude<WaitCondition, "not-running">, signal: AbortSignal): Promise<WaitResult> {
    const { promise, resolve, reject } = Promise.withResolvers<WaitResult>();
    // Whoever went away does not look at the result any more.
    promise.catch(() => {});
    const waiter: Waiter = { condition, resolve };
    const abort = (): void => {
      this.#drop(id, waiter);
      reject(signal.reason as Error);
    };
    if (signal.aborted) {
      reject(signal.reason as Error);
      return promise;
    }
    signal.addEventListener("abort", abort, { once: true });
    waiter.resolve = (result) => {
      signal.removeEventListener("abort", abort);
      resolve(result);
    };
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(waiter));
    return promise;
  }

  /** Tells those who wait for the end. */
  ended(id: string, result: WaitResult): void {
    this.#settle(id, result, (waiter) => waiter.condition === "next-exit");
  }

  /** Tells everybody: after the removal there is nothing to wait for. */
  removed(id: string, result: WaitResult): void {
    this.#settle(id, result, () => true);
  }

  #settle(id: string, result: WaitResult, matches: (waiter: Waiter) => boolean): void {
    for (const waiter of [...(this.#waiting.get(id) ?? [])].filter(matches)) {
      this.#drop(id, waiter);
      waiter.resolve(result);
    }
  }

  #drop(id: string, waiter: Waiter): void {
    const waiting = this.#waiting.get(id);
    waiting?.delete(waiter);
    if (waiting?.size === 0) this.#waiting.delete(id);
  }
}

interface Waiter {
  readonly condition: "next-exit" | "removed";
  resolve: (result: WaitResult) => void;
}
