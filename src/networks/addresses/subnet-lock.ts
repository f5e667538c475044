import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Holds off the other daemons of this host while one chooses a network and puts it on its bridge. The lock is an abstract
 * socket name: it is per network namespace, as links are, and goes with the process. It never blocks for good: after ten
 * seconds the work goes on without it.
 */
export async function withSubnetLock<Result>(work: () => Promise<Result>): Promise<Result> {
  await using lock = await takeLock();
  void lock;
  return await work();
}

async function takeLock(): Promise<AsyncDisposable> {
  for (let waitedMs = 0; waitedMs < longestWaitMs; waitedMs += pauseMs) {
    const server = createServer((connection) => connection.destroy());
    try {
      server.listen("\0slipway-subnet-choice");
      await once(server, "listening");
      server.unref();
      return {
        [Symbol.asyncDispose]: async () => {
          server.close();
          await once(server, "close");
        },
      };
    } catch {
      await sleep(pauseMs);
    }
  }
  return { [Symbol.asyncDispose]: async () => {} };
}

const pauseMs = 20;
const longestWaitMs = 10_000;
