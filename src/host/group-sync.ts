/**
 * Puts something on the disk for several at once: who asks while a sync is under way may have come too late for it, and shares the
 * next one with all others who do.
 */
export class GroupSync {
  readonly #sync: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /** Resolves when all that was written before this call is on the disk. */
  async sync(): Promise<void> {
    if (this.#running === undefined) return await this.#start();
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(async () => {
        this.#next = undefined;
        await this.#start();
      });
    await this.#next;
  }

  async #start(): Promise<void> {
    const running = this.#sync().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    await running;
  }
}
