/** Work that goes on behind the answers, bounded: who adds to a long queue waits for it. */
export class Background {
  readonly #running = new Set<Promise<void>>();
  /** Those who wait for room, in the order they came. */
  readonly #waiting: (() => void)[] = [];
  readonly #bound: number;
  readonly #onFailure: (error: unknown) => void;

  constructor(bound: number, onFailure: (error: unknown) => void) {
    this.#bound = bound;
    this.#onFailure = onFailure;
  }

  /** Starts the work; resolves at once while there is room, else when some earlier work is done. */
  async add(work: () => Promise<void>): Promise<void> {
    const running = this.#run(work);
    this.#running.add(running);
    void running.then(() => {
      this.#running.delete(running);
      this.#waiting.shift()?.();
    });
    if (this.#running.size > this.#bound) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when nothing is left to do. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#onFailure(error);
    }
  }
}
