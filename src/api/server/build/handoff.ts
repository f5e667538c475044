import { Fault } from "#core/fault";

/** Hands items from several who have them to one who takes them, one at a time: who gives waits until it is taken. */
export class Handoff<Item> {
  readonly #waiting: { readonly item: Item; readonly taken: () => void; readonly refused: (reason: Fault) => void }[] =
    [];
  #arrived = Promise.withResolvers<void>();
  #ended: { readonly failure?: Fault } | undefined;
  #isLeft = false;

  /** Resolves when the item is taken. Fault `cancelled` when nobody takes any more. */
  async give(item: Item): Promise<void> {
    if (this.#isLeft) throw nobodyTakes();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ item, taken: resolve, refused: reject });
    this.#arrived.resolve();
    await promise;
  }

  /** Nothing more comes; what waits is still taken, then the failure is thrown. */
  end(outcome: { readonly failure?: Fault } = {}): void {
    this.#ended = outcome;
    this.#arrived.resolve();
  }

  async *take(): AsyncGenerator<Item, void, void> {
    try {
      for (;;) {
        // It is taken when the next one is asked for.
        for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
          yield next.item;
          this.#waiting.shift();
          next.taken();
        }
        if (this.#ended !== undefined) break;
        await this.#arrived.promise;
        this.#arrived = Promise.withResolvers();
      }
      if (this.#ended.failure !== undefined) throw this.#ended.failure;
    } finally {
      this.#isLeft = true;
      for (const { refused } of this.#waiting.splice(0)) refused(nobodyTakes());
    }
  }
}

function nobodyTakes(): Fault {
  return new Fault("cancelled", "nobody takes it any more");
}
