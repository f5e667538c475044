import { linkedAbort } from "#core/linked-abort";
import type { Progress } from "./images.ts";

/** Takes one line of progress; lines with an id and a count may be dropped when newer ones of that id follow soon. */
export type Report = (progress: Progress) => void;

const countEveryMs = 100;

/**
 * Runs the work and yields what it reports, in order; ends when it ends, throws what it throws. A reader that stops early
 * aborts the work and waits for it. Counts come at most every 100 ms an id
 * and status, and of those that a slow reader has not taken yet only the newest is kept.
 */
export async function* progressFeed(
  work: (report: Report, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<Progress, void, void> {
  using abort = linkedAbort(signal);
  const queue: Progress[] = [];
  const countedAt = new Map<string, number>();
  let wake = Promise.withResolvers<void>();
  const state = { ended: false };
  const report: Report = (progress) => {
    if (isTooSoon(progress, countedAt)) return;
    const index = queue.findIndex((other) => isSameCount(other, progress));
    if (index < 0) queue.push(progress);
    else queue[index] = progress;
    wake.resolve();
  };
  const done = work(report, abort.signal).finally(() => {
    state.ended = true;
    wake.resolve();
  });
  done.catch(() => undefined);
  try {
    while (!state.ended || queue.length > 0) {
      yield* queue.splice(0);
      if (state.ended) continue;
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
  } finally {
    abort.abort();
    await done.catch(() => undefined);
  }
  await done;
}

function isTooSoon({ id, status, current, total }: Progress, countedAt: Map<string, number>): boolean {
  if (id === undefined || current === undefined || current === total) return false;
  const key = `${id} ${status}`;
  const now = performance.now();
  if (now - (countedAt.get(key) ?? -countEveryMs) < countEveryMs) return true;
  countedAt.set(key, now);
  return false;
}

function isSameCount(a: Progress, b: Progress): boolean {
  return a.current !== undefined && b.current !== undefined && a.id === b.id && a.status === b.status;
}
