import { Fault } from "#core/fault";

/** Work that several callers may want at once and that is done once. It ends when the last of them gives up, not the first. */
export class SharedWork<Step> {
  readonly #running = new Map<string, Running<Step>>();

  /** Does the work named by the key, or joins it; `watch` sees its steps, beginning with the latest when joining. */
  async run(
    key: string,
    work: (report: (step: Step) => void, signal: AbortSignal) => Promise<void>,
    watch: (step: Step) => void,
    signal: AbortSignal,
  ): Promise<void> {
    if (signal.aborted) throw gone(signal);
    const running = this.#running.get(key) ?? this.#start(key, work);
    if (running.latest !== undefined) watch(running.latest);
    running.watchers.add(watch);
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = () => reject(gone(signal));
    signal.addEventListener("abort", leave, { once: true });
    try {
      await Promise.race([running.done, left]);
    } finally {
      signal.removeEventListener("abort", leave);
      running.watchers.delete(watch);
      if (running.watchers.size === 0) this.#abandon(key, running);
    }
  }

  #start(key: string, work: (report: (step: Step) => void, signal: AbortSignal) => Promise<void>): Running<Step> {
    const watchers = new Set<(step: Step) => void>();
    const stop = new AbortController();
    const report = (step: Step) => {
      running.latest = step;
      for (const watch of watchers) watch(step);
    };
    const running: Running<Step> = {
      watchers,
      stop,
      latest: undefined,
      done: Promise.resolve().then(() => work(report, stop.signal)),
    };
    this.#running.set(key, running);
    running.done.catch(ignore).finally(() => this.#forget(key, running));
    return running;
  }

  #abandon(key: string, running: Running<Step>): void {
    running.stop.abort();
    this.#forget(key, running);
  }

  #forget(key: string, running: Running<Step>): void {
    if (this.#running.get(key) === running) this.#running.delete(key);
  }
}

interface Running<Step> {
  readonly watchers: Set<(step: Step) => void>;
  readonly stop: AbortController;
  readonly done: Promise<void>;
  latest: Step | undefined;
}

function gone(signal: AbortSignal): Fault {
  return new Fault("cancelled", "context canceled", { cause: signal.reason });
}

function ignore(): void {}
