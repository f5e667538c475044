import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { WarmPool } from "./warm-pool.ts";

const signal = new AbortController().signal;

test("WarmPool: makes nothing before the first take, then refills when half is gone", async () => {
  const { pool, batches } = counted(4);
  await settled();
  assert.deepEqual(batches, []);
  assert.equal(await pool.take(signal), 1);
  await settled();
  assert.deepEqual(batches, [1, 4]);
  assert.equal(await pool.take(signal), 2);
  await settled();
  assert.deepEqual(batches, [1, 4]);
  assert.equal(await pool.take(signal), 3);
  await settled();
  assert.deepEqual(batches, [1, 4, 2]);
});

test("WarmPool: fills up to its target also when that takes several batches", async () => {
  const { pool, batches } = counted(20);
  await pool.take(signal);
  await settled();
  assert.deepEqual(batches, [1, 8, 8, 4]);
  assert.equal(pool.ready.length, 20);
});

test("WarmPool: a burst is served in order, in batches of a bounded size", async () => {
  const { pool, batches } = counted(0);
  const items = await Promise.all(Array.from({ length: 20 }, async () => await pool.take(signal)));
  assert.deepEqual(
    items,
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
  assert.ok(Math.max(...batches) <= 8);
});

test("WarmPool: who waits hears why nothing could be made; later tries are made anew", async () => {
  let works = false;
  const pool = new WarmPool({
    prepare: async () => (works ? await Promise.resolve(["item"]) : await Promise.reject(new Error("no"))),
    discard: async () => await Promise.resolve(),
    target: 0,
    batch: 8,
  });
  await assert.rejects(pool.take(signal), /^Error: no$/);
  works = true;
  assert.equal(await pool.take(signal), "item");
});

test("WarmPool: who comes just as a filling ends is served all the same", async () => {
  for (let turns = 0; turns < 12; turns += 1) {
    let made = 0;
    const pool = new WarmPool({
      prepare: async () => {
        made += 1;
        return made === 1 ? await Promise.resolve(["item"]) : await Promise.reject(new Error("no more"));
      },
      discard: async () => await Promise.resolve(),
      target: 1,
      batch: 1,
    });
    assert.equal(await pool.take(signal), "item");
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    await assert.rejects(pool.take(AbortSignal.timeout(1000)), /^Error: no more$/, `after ${turns} turns`);
  }
});

test("WarmPool: a waiter that goes away loses nothing", async () => {
  const { pool, discarded } = counted(0);
  const leaver = new AbortController();
  const waiting = pool.take(leaver.signal);
  leaver.abort();
  await assert.rejects(waiting, { name: "AbortError" });
  assert.equal(await pool.take(signal), 1);
  await pool.close();
  assert.deepEqual(discarded, []);
});

test("WarmPool: close turns away those who wait", async () => {
  const { pool } = counted(0);
  const waiting = pool.take(signal);
  await Promise.all([assert.rejects(waiting, { kind: "unavailable" }), pool.close()]);
});

test("WarmPool: close discards what is ready and gives no more", async () => {
  const { pool, discarded } = counted(2);
  await pool.take(signal);
  await settled();
  await pool.close();
  assert.deepEqual(discarded, [2, 3]);
  await assert.rejects(pool.take(signal), { kind: "unavailable" });
});

function counted(target: number): { pool: WarmPool<number>; batches: number[]; discarded: number[] } {
  const batches: number[] = [];
  const discarded: number[] = [];
  let last = 0;
  const pool = new WarmPool<number>({
    prepare: async (count) => {
      batches.push(count);
      await setImmediate();
      return Array.from({ length: count }, () => (last += 1));
    },
    discard: async (item) => {
      discarded.push(item);
      await Promise.resolve();
    },
    target,
    batch: 8,
  });
  return { pool, batches, discarded };
}

async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await setImmediate();
}
