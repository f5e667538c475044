/** Passes items from one producer to one consumer, one at a time: the producer waits until its item is taken. */
export class Handover<Item> implements AsyncIterable<Item> {
  #item: { readonly value: Item; readonly taken: () => void } | undefined;
  #wake: (() => void) | undefined;
  #end: { readonly error: Error | undefined } | undefined;
  #abandoned = false;

  /** Resolves when the consumer took the item; at once when it has left. */
  async put(value: Item): Promise<void> {
    if (this.#abandoned || this.#end !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#item = { value, taken: resolve };
    this.#wake?.();
    await promise;
  }

  /** No more items; with an error the consumer's loop throws it. */
  finish(error?: unknown): void {
    this.#end ??= {
      error: error === undefined || error instanceof Error ? error : new Error("the producer failed", { cause: error }),
    };
    this.#wake?.();
  }

  /** The consumer wants no more: what comes is dropped. */
  abandon(): void {
    this.#abandoned = true;
    this.#item?.taken();
    this.#item = undefined;
    this.finish();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    try {
      for (;;) {
        const item = this.#item;
        if (item !== undefined) {
          this.#item = undefined;
          item.taken();
          yield item.value;
        } else if (this.#end !== undefined) {
          if (this.#end.error !== undefined) throw this.#end.error;
          return;
        } else {
          await this.#next();
        }
      }
    } finally {
      this.abandon();
    }
  }

  async #next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
    this.#wake = undefined;
  }
}
