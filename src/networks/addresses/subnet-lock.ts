import { setTimeout as sleep } from "node:timers/promises";
import { holdServer } from "../held-server.ts";

/**
 * One at a time chooses a network and puts it on its bridge. The other daemons of this host are held off by an abstract
 * socket name: it is per network namespace, as links are, and goes with the process. They never block for good: after ten
 * seconds the work goes on without the lock.
 */
export async function withSubnetLock<Result>(work: () => Promise<Result>): Promise<Result> {
  const turn = last.then(async () => {
    await using lock = await takeLock();
    void lock;
    return await work();
  });
  last = turn.then(
    () => undefined,
    () => undefined,
  );
  return await turn;
}

/** Of this process, who waits for whom; bounded by the requests that the daemon serves at once. */
let last: Promise<void> = Promise.resolve();

async function takeLock(): Promise<AsyncDisposable> {
  for (let waitedMs = 0; waitedMs < longestWaitMs; waitedMs += pauseMs) {
    try {
      return await holdServer({ path: "\0slipway-subnet-choice" });
    } catch {
      await sleep(pauseMs);
    }
  }
  return { [Symbol.asyncDispose]: async () => {} };
}

const pauseMs = 20;
const longestWaitMs = 10_000;
