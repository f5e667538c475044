import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { healthTimes, healthWarnings, mergeHealthcheck, probeCommand } from "./healthcheck.ts";

const second = 1e9;

test("mergeHealthcheck: what the request leaves out is the image's, field by field", () => {
  const image = { Test: ["CMD-SHELL", "true"], Interval: 5 * second, Retries: 7 };
  assert.equal(mergeHealthcheck(undefined, undefined), undefined);
  assert.deepEqual(mergeHealthcheck(undefined, image), image);
  assert.deepEqual(mergeHealthcheck({ Interval: second, Retries: 0, Test: [] }, image), { ...image, Interval: second });
  assert.deepEqual(mergeHealthcheck({ Test: ["CMD", "a"], StartPeriod: second }, image), {
    Test: ["CMD", "a"],
    Interval: 5 * second,
    StartPeriod: second,
    Retries: 7,
  });
  assert.deepEqual(mergeHealthcheck({ Test: ["NONE"] }, image)?.Test, ["NONE"]);
});

test("mergeHealthcheck: durations below a millisecond and negative retries are refused in Docker's words", () => {
  for (const name of ["Interval", "Timeout", "StartPeriod", "StartInterval"]) {
    for (const value of [1, 999_999, -second]) {
      assert.throws(
        () => mergeHealthcheck({ [name]: value }, undefined),
        (error) => isFault(error, "invalid") && error.message === `${name} in Healthcheck cannot be less than 1ms`,
      );
    }
    assert.doesNotThrow(() => mergeHealthcheck({ [name]: 1e6 }, undefined));
  }
  assert.throws(() => mergeHealthcheck({ Retries: -1 }, undefined), /Retries in Healthcheck cannot be negative/);
});

test("probeCommand: CMD as it is, CMD-SHELL in the image's shell, NONE and unknown kinds never", () => {
  assert.deepEqual(probeCommand({ Test: ["CMD", "wget", "-q"] }, ["/bin/bash", "-c"]), ["wget", "-q"]);
  assert.deepEqual(probeCommand({ Test: ["CMD-SHELL", "exit 1"] }, []), ["/bin/sh", "-c", "exit 1"]);
  assert.deepEqual(probeCommand({ Test: ["CMD-SHELL", "exit 1"] }, ["/bin/ash", "-ec"]), ["/bin/ash", "-ec", "exit 1"]);
  for (const test of [["NONE"], ["NONE", "x"], ["CMD"], ["curl", "x"], []])
    assert.equal(probeCommand({ Test: test }, []), undefined);
  assert.equal(probeCommand(undefined, []), undefined);
  assert.deepEqual(healthWarnings({ Test: ["CMD", "x"] }), []);
  assert.match(healthWarnings({ Test: ["curl", "x"] })[0] ?? "", /^Unknown healthcheck type 'curl' \(expected 'CMD'\)/);
});

test("healthTimes: Docker's defaults", () => {
  const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5000, retries: 3 };
  assert.deepEqual(healthTimes({ Interval: 0, Retries: 0 }), defaults);
  assert.deepEqual(healthTimes({ Interval: second / 2, Retries: 1 }), { ...defaults, intervalMs: 500, retries: 1 });
});
