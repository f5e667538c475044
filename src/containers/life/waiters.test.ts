import assert from "node:assert/strict";
import { test } from "node:test";
import { Background } from "../background.ts";
import { Locks } from "#core/locks";
import { Waiters } from "./waiters.ts";

test("Waiters: each condition is told its own end", async () => {
  const waiters = new Waiters();
  const { signal } = new AbortController();
  const next = waiters.add("a", "next-exit", signal);
  const removed = waiters.add("a", "removed", signal);
  waiters.ended("b", { exitCode: 9 });
  waiters.ended("a", { exitCode: 1 });
  assert.deepEqual(await next, { exitCode: 1 });
  waiters.removed("a", { exitCode: 2 });
  assert.deepEqual(await removed, { exitCode: 2 });
});

test("Waiters: who waits for the next exit hears of the removal too", async () => {
  const waiters = new Waiters();
  const next = waiters.add("a", "next-exit", new AbortController().signal);
  waiters.removed("a", { exitCode: 0 });
  assert.deepEqual(await next, { exitCode: 0 });
});

test("Waiters: a client that goes away is forgotten", async () => {
  const waiters = new Waiters();
  const gone = new AbortController();
  const waiting = waiters.add("a", "removed", gone.signal);
  gone.abort(new Error("went away"));
  await assert.rejects(waiting, /went away/);
  await assert.rejects(waiters.add("a", "removed", gone.signal), /went away/);
});

test("Locks: one at a time for each key, in order", async () => {
  const locks = new Locks();
  const order: number[] = [];
  const work = async (number: number): Promise<void> => {
    using _lock = await locks.take("a");
    order.push(number);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(number);
  };
  const first = work(1);
  const second = work(2);
  const third = work(3);
  (await locks.take("b"))[Symbol.dispose](); // another key does not wait
  assert.deepEqual(order.slice(0, 1), [1]);
  await Promise.all([first, second, third]);
  assert.deepEqual(order, [1, 1, 2, 2, 3, 3]);
});

test("Background: bounds its queue, reports failures, and tells when it is idle", async () => {
  const failures: unknown[] = [];
  const background = new Background(2, (error) => failures.push(error));
  const gates = [1, 2, 3].map(() => Promise.withResolvers<void>());
  let done = 0;
  const add = async (index: number): Promise<void> =>
    await background.add(async () => {
      await gates[index]?.promise;
      done++;
      if (index === 0) throw new Error("cannot clean");
    });
  await add(0);
  await add(1);
  let third = false;
  const adding = add(2).then(() => {
    third = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(third, false);
  for (const gate of gates) gate.resolve();
  await adding;
  await background.idle();
  assert.equal(done, 3);
  assert.match(String(failures[0]), /cannot clean/);
});
