import { type FSWatcher, watch } from "node:fs";

/** Rings when the log's folder changes (inotify: an idle one costs nothing), and when somebody else rings. */
export class Doorbell implements Disposable {
  readonly #watcher: FSWatcher | undefined;
  #rung = true;
  #wake: (() => void) | undefined;

  constructor(folder: string) {
    try {
      this.#watcher = watch(folder, { persistent: false }, () => this.ring());
      this.#watcher.on("error", () => {});
    } catch {
      // Out of watches: the room rings now and then.
    }
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves when it has rung since the last time. One waits at a time. */
  async answered(): Promise<void> {
    if (!this.#rung) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#rung = false;
    this.#wake = undefined;
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}
