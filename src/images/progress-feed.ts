import { linkedAbort } from "./linked-abort.ts";
import type { Progress } from "./images.ts";

/** Takes one line of progress; lines with an id and a count may be dropped when newer ones of that id follow soon. */
export type Report = (progress: Progress) => void;

const countEveryMs = 100;

/**
 * Runs the work and yields what it reports, in order; ends when it ends, throws what it throws. A reader that stops early
 * aborts the work and waits for it. Counts come at most every 100 ms an id, so a slow reader costs no memory.
 */
export async function* progressFeed(
  work: (report: Report, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<Progress, void, void> {
  using abort = linkedAbort(signal);
  const queue: Progress[] = [];
  const countedAt = new Map<string, number>();
  let wake = Promise.withResolvers<void>();
  let ended = false;
  const report: Report = (progress) => {
    if (progress.id !== undefined && progress.current !== undefined && progress.current !== progress.total) {
      const now = performance.now();
      if (now - (countedAt.get(progress.id) ?? -countEveryMs) < countEveryMs) return;
      countedAt.set(progress.id, now);
    }
    queue.push(progress);
    wake.resolve();
  };
  const done = work(report, abort.signal).finally(() => {
    ended = true;
    wake.resolve();
  });
  done.catch(() => undefined);
  try {
    while (!ended || queue.length > 0) {
      yield* queue.splice(0);
      if (ended) continue;
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
  } finally {
    abort.abort();
    await done.catch(() => undefined);
  }
  await done;
}
