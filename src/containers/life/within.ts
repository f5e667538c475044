import { setTimeout as sleep } from "node:timers/promises";

/** Whether the promise settled in time. */
export async function within(promise: Promise<void>, timeMs: number): Promise<boolean> {
  const stop = new AbortController();
  const timeout = sleep(timeMs, false, { signal: stop.signal, ref: false }).catch(() => false);
  try {
    return await Promise.race([promise.then(() => true), timeout]);
  } finally {
    stop.abort();
  }
}
