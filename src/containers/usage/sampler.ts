import type { UsageSample } from "../containers.ts";

/** How a sampler gets at what it samples. */
export interface SampleSource {
  /** A reading of a container now; undefined when there is no such container any more. Synchronous, quick, and never throws. */
  read(id: string): UsageSample | undefined;
  /** Nobody watches the container any more: what was kept for reading it can go. */
  release(id: string): void;
}

/** Timing of a sampler; tests have their own. */
export interface SamplerTiming {
  readonly intervalMs: number;
  /** Milliseconds that only go up. */
  now(): number;
  /** Resolves after a while, and does not keep the process alive. */
  sleep(ms: number): Promise<void>;
}

/** Containers that are read in one go, before others get a turn: some 2 ms. */
const batchSize = 32;

/**
 * Reads every watched container once in each interval, however many watch it, and nothing when nobody watches. A watcher
 * holds the newest sample only: one that is slow misses some and delays nobody.
 */
export class Sampler {
  readonly #source: SampleSource;
  readonly #timing: SamplerTiming;
  readonly #watched = new Map<string, Watched>();
  #runs = false;

  constructor(source: SampleSource, timing: SamplerTiming = everySecond) {
    this.#source = source;
    this.#timing = timing;
  }

  /** A sample now (the last one, when the container is watched already), then one in each interval, until the container is removed or the signal. */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<UsageSample, void, void> {
    const watcher = new Watcher();
    const watched = this.#enter(id, watcher);
    const end = (): void => watcher.end();
    signal.addEventListener("abort", end);
    try {
      if (signal.aborted) return;
      for (let sample = await watcher.next(); sample !== undefined; sample = await watcher.next()) yield sample;
    } finally {
      signal.removeEventListener("abort", end);
      this.#leave(id, watched, watcher);
    }
  }

  #enter(id: string, watcher: Watcher): Watched {
    let watched = this.#watched.get(id);
    if (watched === undefined) {
      watched = { watchers: new Set(), last: undefined, readAtMs: 0 };
      this.#watched.set(id, watched);
    }
    watched.watchers.add(watcher);
    if (watched.last === undefined) this.#read(id, watched);
    else watcher.offer(watched.last);
    if (!this.#runs) void this.#run();
    return watched;
  }

  #leave(id: string, watched: Watched, watcher: Watcher): void {
    watched.watchers.delete(watcher);
    if (watched.watchers.size === 0 && this.#watched.get(id) === watched) this.#forget(id);
  }

  #forget(id: string): void {
    this.#watched.delete(id);
    this.#source.release(id);
  }

  async #run(): Promise<void> {
    this.#runs = true;
    for (;;) {
      await this.#timing.sleep(this.#timing.intervalMs);
      if (this.#watched.size === 0) break;
      await this.#readAll();
    }
    this.#runs = false;
  }

  async #readAll(): Promise<void> {
    const { intervalMs, now } = this.#timing;
    let count = 0;
    for (const [id, watched] of this.#watched) {
      // Its first reading was a moment ago: the difference of two so close tells little.
      if (now() - watched.readAtMs < intervalMs / 2) continue;
      this.#read(id, watched);
      if (++count % batchSize === 0) await new Promise(setImmediate);
    }
  }

  #read(id: string, watched: Watched): void {
    const sample = this.#source.read(id);
    watched.last = sample;
    watched.readAtMs = this.#timing.now();
    for (const watcher of watched.watchers) {
      if (sample === undefined) watcher.end();
      else watcher.offer(sample);
    }
    if (sample === undefined) this.#forget(id);
  }
}

interface Watched {
  readonly watchers: Set<Watcher>;
  last: UsageSample | undefined;
  readAtMs: number;
}

/** One reader's place: room for a single sample. */
class Watcher {
  #sample: UsageSample | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  offer(sample: UsageSample): void {
    this.#sample = sample;
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async next(): Promise<UsageSample | undefined> {
    while (!this.#ended && this.#sample === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
    }
    const sample = this.#ended ? undefined : this.#sample;
    this.#sample = undefined;
    return sample;
  }
}

const everySecond: SamplerTiming = {
  intervalMs: 1000,
  now: () => performance.now(),
  sleep: async (ms) => await new Promise((resolve) => setTimeout(resolve, ms).unref()),
};
