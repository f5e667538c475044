import assert from "node:assert/strict";
import { test } from "node:test";
import type { RestartPolicy } from "../containers.ts";
import { nextDelayMs, restartsAfter, startsWithDaemon } from "./restart-policy.ts";

function policy(text: string): RestartPolicy {
  const [name = "", retries = "0"] = text.split(":");
  return { name: name as RestartPolicy["name"], maximumRetries: Number(retries) };
}

/** policy, exit code, stopped by hand, restarts so far → restarts after this end; is started with the daemon. */
const table: readonly (readonly [string, number, boolean, number, boolean, boolean])[] = [
  ["no", 0, false, 0, false, false],
  ["no", 1, false, 0, false, false],
  ["always", 0, false, 9, true, true],
  ["always", 137, true, 0, false, true],
  ["unless-stopped", 0, false, 9, true, true],
  ["unless-stopped", 1, true, 0, false, false],
  ["on-failure", 0, false, 0, false, false],
  ["on-failure", 1, false, 1000, true, true],
  ["on-failure", 137, true, 0, false, false],
  ["on-failure:3", 1, false, 2, true, true],
  ["on-failure:3", 1, false, 3, false, false],
  ["on-failure:3", 127, false, 0, true, true],
];

test("restartsAfter, startsWithDaemon: each policy, by exit code, hand and count", () => {
  for (const [text, exitCode, stoppedByHand, restartCount, after, withDaemon] of table) {
    const end = { exitCode, stoppedByHand, restartCount };
    const words = `${text} ${JSON.stringify(end)}`;
    assert.equal(restartsAfter(policy(text), end), after, words);
    assert.equal(startsWithDaemon(policy(text), end), withDaemon, words);
  }
});

test("nextDelayMs: 100 ms, doubled to a minute, anew after ten seconds of running", () => {
  const delays = [0];
  while (delays.length < 14) delays.push(nextDelayMs(delays.at(-1) ?? 0, 9999));
  assert.deepEqual(
    delays.slice(1),
    [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000],
  );
  assert.equal(nextDelayMs(60_000, 10_000), 100);
});
