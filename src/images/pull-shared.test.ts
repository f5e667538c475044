import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { SharedWork } from "./pull-shared.ts";

const never = new AbortController().signal;
const settled = () => new Promise((resolve) => setImmediate(resolve));
const cancelled = (error: unknown) => isFault(error, "cancelled");

test("SharedWork: is done once, and a late joiner sees where it stands", async () => {
  const shared = new SharedWork<number>();
  const gate = Promise.withResolvers<void>();
  let times = 0;
  const work = async (report: (step: number) => void): Promise<void> => {
    times += 1;
    report(1);
    report(2);
    await gate.promise;
    report(3);
  };
  const [first, second]: [number[], number[]] = [[], []];
  const one = shared.run("key", work, (step) => first.push(step), never);
  await settled();
  const two = shared.run("key", work, (step) => second.push(step), never);
  gate.resolve();
  await Promise.all([one, two]);
  assert.deepEqual([times, first, second], [1, [1, 2, 3], [2, 3]]);
});

test("SharedWork: goes on while somebody waits, is stopped when nobody does", async () => {
  const shared = new SharedWork<number>();
  let stopped = false;
  const work = async (_report: unknown, signal: AbortSignal): Promise<void> => {
    await new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        stopped = true;
        reject(new Error("stopped"));
      });
    });
  };
  const [one, two] = [new AbortController(), new AbortController()];
  const running = [one, two].map(({ signal }) =>
    assert.rejects(
      shared.run("key", work, () => {}, signal),
      cancelled,
    ),
  );
  await settled();
  one.abort();
  await running[0];
  assert.ok(!stopped);
  two.abort();
  await running[1];
  assert.ok(stopped);
});

test("SharedWork: a failure reaches all, and the next caller starts anew", async () => {
  const shared = new SharedWork<number>();
  const failing = () => Promise.reject(new Error("no"));
  await Promise.all(
    [1, 2].map(() =>
      assert.rejects(
        shared.run("key", failing, () => {}, never),
        /^Error: no$/,
      ),
    ),
  );
  await shared.run(
    "key",
    () => Promise.resolve(),
    () => {},
    never,
  );
});

test("SharedWork: an aborted caller starts nothing", async () => {
  const shared = new SharedWork<number>();
  await assert.rejects(
    shared.run(
      "key",
      () => assert.fail("started"),
      () => {},
      AbortSignal.abort(),
    ),
    cancelled,
  );
});
