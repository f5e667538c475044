import assert from "node:assert/strict";
import { test } from "node:test";
import type { UsageSample } from "../containers.ts";
import { Sampler, type SampleSource } from "./sampler.ts";

/** A source that counts, and a clock that goes on by hand. */
function bench(): {
  sampler: Sampler;
  reads: string[];
  released: string[];
  gone: Set<string>;
  tick(): Promise<void>;
  asleep(): boolean;
} {
  const reads: string[] = [];
  const released: string[] = [];
  const gone = new Set<string>();
  let nowMs = 0;
  let wake: (() => void) | undefined;
  const source: SampleSource = {
    read: (id) => {
      if (gone.has(id)) return undefined;
      reads.push(id);
      return { id, name: `${id}${reads.length}` };
    },
    release: (id) => void released.push(id),
  };
  const timing = {
    intervalMs: 1000,
    now: () => nowMs,
    sleep: async () => await new Promise<void>((resolve) => (wake = resolve)),
  };
  const settle = async (): Promise<void> => await new Promise((resolve) => setTimeout(resolve, 0));
  return {
    sampler: new Sampler(source, timing),
    reads,
    released,
    gone,
    asleep: () => wake !== undefined,
    tick: async () => {
      nowMs += 1000;
      const resume = wake;
      wake = undefined;
      resume?.();
      await settle();
    },
  };
}

async function name(watch: AsyncGenerator<UsageSample>): Promise<string | undefined> {
  const { value, done } = await watch.next();
  return done === true ? undefined : value.name;
}

test("Sampler: one reading an interval for all who watch; none when nobody does", async () => {
  const { sampler, reads, released, tick, asleep } = bench();
  const never = new AbortController().signal;
  const first = sampler.watch("a", never);
  const second = sampler.watch("a", never);
  assert.equal(asleep(), false);
  assert.deepEqual([await name(first), await name(second)], ["a1", "a1"]);
  await tick();
  assert.deepEqual([await name(first), await name(second)], ["a2", "a2"]);
  await first.return();
  await tick();
  assert.equal(await name(second), "a3");
  assert.deepEqual(released, []);
  await second.return();
  assert.deepEqual(released, ["a"]);
  await tick();
  assert.equal(asleep(), false);
  assert.deepEqual(reads, ["a", "a", "a"]);
});

test("Sampler: a watcher that is slow gets the newest sample, and the others theirs in time", async () => {
  const { sampler, tick } = bench();
  const never = new AbortController().signal;
  const slow = sampler.watch("a", never);
  const quick = sampler.watch("a", never);
  assert.equal(await name(slow), "a1");
  assert.equal(await name(quick), "a1");
  for (const expected of ["a2", "a3", "a4"]) {
    await tick();
    assert.equal(await name(quick), expected);
  }
  assert.equal(await name(slow), "a4");
  await slow.return();
  await quick.return();
});

test("Sampler: a removed container ends its watchers, a signal ends one", async () => {
  const { sampler, gone, released, tick } = bench();
  const aborter = new AbortController();
  const one = sampler.watch("a", aborter.signal);
  const other = sampler.watch("a", new AbortController().signal);
  assert.equal(await name(one), "a1");
  assert.equal(await name(other), "a1");
  const waiting = name(one);
  aborter.abort();
  assert.equal(await waiting, undefined);
  const ending = name(other);
  gone.add("a");
  await tick();
  assert.equal(await ending, undefined);
  assert.deepEqual(released, ["a"]);
  assert.equal(await name(sampler.watch("a", new AbortController().signal)), undefined);
});

test("Sampler: what was read a moment ago is not read again in the same breath", async () => {
  const { sampler, reads, tick } = bench();
  const never = new AbortController().signal;
  const first = sampler.watch("a", never);
  await name(first);
  const ticking = tick(); // the clock is past the interval now, the round comes next
  const late = sampler.watch("b", never);
  await name(late);
  await ticking;
  assert.deepEqual(reads.toSorted(), ["a", "a", "b"]);
  await first.return();
  await late.return();
});
