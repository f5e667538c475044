import assert from "node:assert/strict";
import { test } from "node:test";
import { healthTimes } from "../config/healthcheck.ts";
import type { Health, HealthResult } from "../containers.ts";
import { afterProbe, freshHealth, probeDelayMs } from "./health-state.ts";

const second = 1_000_000_000n;
const runStartedNs = 100n * second;

function result(exitCode: number, atSecond = 0): HealthResult {
  const startedNs = runStartedNs + BigInt(atSecond) * second;
  return { exitCode, startedNs, endedNs: startedNs + 1n, output: String(exitCode) };
}

function run(results: readonly HealthResult[], times = healthTimes({})): Health {
  return results.reduce((health, one) => afterProbe(health, one, times, runStartedNs), freshHealth(undefined));
}

function brief({ status, failingStreak }: Health): string {
  return `${status} ${failingStreak}`;
}

test("afterProbe: unhealthy after as many failures as retries, healthy after one success", () => {
  assert.equal(brief(run([])), "starting 0");
  assert.equal(brief(run([result(1), result(2)])), "starting 2");
  assert.equal(brief(run([result(1), result(-1), result(3)])), "unhealthy 3");
  assert.equal(brief(run([result(1), result(1), result(1), result(1)])), "unhealthy 4");
  assert.equal(brief(run([result(1), result(1), result(1), result(0)])), "healthy 0");
  assert.equal(brief(run([result(0), result(1), result(1)])), "healthy 2");
  assert.equal(brief(run([result(0), result(1)], healthTimes({ Retries: 1 }))), "unhealthy 1");
});

test("afterProbe: failures in the start period do not count until it was healthy once", () => {
  const times = healthTimes({ Retries: 2, StartPeriod: 10e9 });
  assert.equal(brief(run([result(1, 1), result(1, 5), result(1, 9)], times)), "starting 0");
  assert.equal(brief(run([result(1, 9), result(1, 10)], times)), "starting 1");
  assert.equal(brief(run([result(1, 9), result(1, 10), result(1, 11)], times)), "unhealthy 2");
  assert.equal(brief(run([result(0, 1), result(1, 2), result(1, 3)], times)), "unhealthy 2");
});

test("afterProbe: the last five results, oldest first; a new run keeps them and counts anew", () => {
  const health = run([1, 2, 3, 4, 5, 6, 7].map((code) => result(code)));
  assert.deepEqual(
    health.log.map(({ exitCode }) => exitCode),
    [3, 4, 5, 6, 7],
  );
  assert.equal(brief(freshHealth(health)), "starting 0");
  assert.equal(freshHealth(health).log.length, 5);
});

test("probeDelayMs: the start interval while starting in the start period, else the interval; spread", () => {
  const times = healthTimes({ Interval: 60e9, StartPeriod: 20e9, StartInterval: 2e9 });
  assert.equal(probeDelayMs("starting", times, 0, 0.5), 2000);
  assert.equal(probeDelayMs("starting", times, 20_000, 0.5), 60_000);
  assert.equal(probeDelayMs("healthy", times, 0, 0.5), 60_000);
  assert.equal(probeDelayMs("unhealthy", times, 0, 0.5), 60_000);
  assert.deepEqual([probeDelayMs("healthy", times, 0, 0), probeDelayMs("healthy", times, 0, 1)], [57_000, 63_000]);
  assert.deepEqual(
    [probeDelayMs("healthy", times, 0, 0, true), probeDelayMs("healthy", times, 0, 0.5, true)],
    [0, 30_000],
  );
});
