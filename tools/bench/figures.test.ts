import assert from "node:assert/strict";
import { test } from "node:test";
import { interleaved, median, ratioFigure } from "./figures.ts";
import { Stopwatch } from "./stopwatch.ts";

test("median: of odd and even counts", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.throws(() => median([]));
});

test("interleaved: each way runs so often and starts rounds in turn", async () => {
  const order: string[] = [];
  const way = (name: string) => async () => order.push(name);
  const times = await interleaved(4, { a: way("a"), b: way("b") });
  assert.equal(times.a.length, 4);
  assert.deepEqual(order.slice(6), ["a", "b", "b", "a", "a", "b", "b", "a"]);
});

test("ratioFigure: is met up to its limit", () => {
  assert.equal(ratioFigure("x", [20], [10], 2).met, true);
  assert.equal(ratioFigure("x", [21], [10], 2).met, false);
});

test("Stopwatch: times a command and tells when it fails", async () => {
  await using stopwatch = new Stopwatch();
  const time = await stopwatch.time("sleep 0.05");
  assert.ok(time >= 50 && time < 1000, String(time));
  await assert.rejects(stopwatch.time("(exit 3)"), /ended with 3/);
});
