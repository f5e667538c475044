import type { Progress } from "./images.ts";

/** Progress on its way to one reader. A slow reader holds nobody up and costs no memory: of a layer's counts only the newest waits for it. */
export interface ProgressFeed {
  push(progress: Progress): void;
  /** Ends the reading, with the error when there is one. */
  end(error?: unknown): void;
  read(): AsyncGenerator<Progress, void, void>;
}

/** Opens a feed; a layer's counts (`current` of `total`) come at least `intervalMs` apart, their first and last always. */
export function openProgressFeed(intervalMs = 100): ProgressFeed {
  const waiting: Progress[] = [];
  const shownMs = new Map<string, number>();
  let ended: { readonly error?: unknown } | undefined;
  let wake = Promise.withResolvers<void>();
  return {
    push(progress) {
      if (isTooSoon(progress, shownMs, intervalMs)) return;
      const index = waiting.findIndex((other) => isSameCount(other, progress));
      if (index < 0) waiting.push(progress);
      else waiting[index] = progress;
      wake.resolve();
    },
    end(error) {
      ended ??= error === undefined ? {} : { error };
      wake.resolve();
    },
    async *read() {
      for (;;) {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) yield next;
        if (ended !== undefined) break;
        await wake.promise;
        wake = Promise.withResolvers<void>();
      }
      if ("error" in ended) throw ended.error;
    },
  };
}

function isTooSoon(progress: Progress, shownMs: Map<string, number>, intervalMs: number): boolean {
  if (progress.current === undefined) return false;
  const key = `${progress.id} ${progress.status}`;
  const nowMs = performance.now();
  const isLast = progress.current === progress.total;
  if (!isLast && nowMs - (shownMs.get(key) ?? -Infinity) < intervalMs) return true;
  shownMs.set(key, nowMs);
  return false;
}

function isSameCount(a: Progress, b: Progress): boolean {
  return a.current !== undefined && b.current !== undefined && a.id === b.id && a.status === b.status;
}
