import { Fault } from "#core/fault";

/** What is told while a step runs. */
export interface StepWatcher {
  output(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<void> | void;
}

/**
 * Steps that run, by key: builds that need the same one share it. Who joins is told from the beginning (as far as it is
 * kept); the step is aborted when the last of them goes, not the first.
 */
export class SharedSteps<Result> {
  readonly #running = new Map<string, RunningStep<Result>>();

  async run(
    key: string,
    work: (watcher: StepWatcher, signal: AbortSignal) => Promise<Result>,
    watcher: StepWatcher,
    signal: AbortSignal,
  ): Promise<Result> {
    signal.throwIfAborted();
    const step = this.#running.get(key) ?? this.#start(key, work);
    step.watchers.add(watcher);
    for (const { stream, bytes } of step.told) void watcher.output(stream, bytes);
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(new Fault("cancelled", "context canceled", { cause: signal.reason }));
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([step.done, left]);
    } finally {
      signal.removeEventListener("abort", leave);
      step.watchers.delete(watcher);
      if (step.watchers.size === 0) {
        step.stop.abort();
        this.#forget(key, step);
        // Nobody may go on before it has let go of what it uses.
        await step.done.catch(() => undefined);
      }
    }
  }

  #start(key: string, work: (watcher: StepWatcher, signal: AbortSignal) => Promise<Result>): RunningStep<Result> {
    const watchers = new Set<StepWatcher>();
    const stop = new AbortController();
    const told: Told[] = [];
    let toldBytes = 0;
    const all: StepWatcher = {
      output: async (stream, bytes) => {
        if (toldBytes < mostKeptBytes) told.push({ stream, bytes });
        toldBytes += bytes.length;
        await Promise.all([...watchers].map(async (watcher) => await watcher.output(stream, bytes)));
      },
    };
    const done = Promise.resolve().then(async () => await work(all, stop.signal));
    const step: RunningStep<Result> = { watchers, stop, told, done };
    this.#running.set(key, step);
    done.catch(() => undefined).finally(() => this.#forget(key, step));
    return step;
  }

  #forget(key: string, step: RunningStep<Result>): void {
    if (this.#running.get(key) === step) this.#running.delete(key);
  }
}

/** Of a step's output, for those who join it. */
const mostKeptBytes = 1 << 20;

interface Told {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

interface RunningStep<Result> {
  readonly watchers: Set<StepWatcher>;
  readonly stop: AbortController;
  readonly told: readonly Told[];
  readonly done: Promise<Result>;
}
