import type { BuildEvent } from "./build.ts";

/**
 * Hands events from many who tell them to one who reads. Who tells output waits while the reader is far behind, so that a
 * reader that stops does not fill the memory.
 */
export class EventQueue {
  readonly #queue: BuildEvent[] = [];
  #waitingBytes = 0;
  #ended = false;
  #isAbandoned = false;
  #failure: Error | undefined;
  #arrived = Promise.withResolvers<void>();
  #taken = Promise.withResolvers<void>();

  tell(event: BuildEvent): void {
    if (this.#isAbandoned) return;
    if (event.kind === "output") this.#waitingBytes += event.bytes.length;
    this.#queue.push(event);
    this.#arrived.resolve();
  }

  /** Resolves when the reader has caught up, or nobody needs the step any more. */
  async room(signal: AbortSignal): Promise<void> {
    if (this.#waitingBytes <= mostWaitingBytes) return;
    const { promise: left, resolve } = Promise.withResolvers<void>();
    const leave = (): void => resolve();
    signal.addEventListener("abort", leave, { once: true });
    try {
      while (this.#waitingBytes > mostWaitingBytes && !this.#ended && !signal.aborted)
        await Promise.race([this.#taken.promise, left]);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** No more comes; what was told before is still read, then the failure is thrown. */
  end(failure?: Error): void {
    this.#ended = true;
    this.#failure = failure;
    this.#arrived.resolve();
    this.#taken.resolve();
  }

  /** Nobody reads any more: nobody is to wait. */
  abandon(): void {
    this.#queue.length = 0;
    this.#waitingBytes = 0;
    this.#isAbandoned = true;
    this.#taken.resolve();
  }

  async *read(): AsyncGenerator<BuildEvent, void, void> {
    while (true) {
      const events = this.#queue.splice(0);
      for (const event of events) {
        yield event;
        if (event.kind === "output") this.#waitingBytes -= event.bytes.length;
      }
      this.#taken.resolve();
      this.#taken = Promise.withResolvers<void>();
      if (this.#queue.length > 0) continue;
      if (this.#ended) break;
      await this.#arrived.promise;
      this.#arrived = Promise.withResolvers<void>();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}

const mostWaitingBytes = 4 << 20;
