import assert from "node:assert/strict";
import { test } from "node:test";
import { GroupSync } from "./group-sync.ts";

test("sync: who comes while one is under way waits for the next one, which all of them share", async () => {
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const group = new GroupSync(async () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting.push({ resolve, reject });
    await promise;
  });
  const done: string[] = [];
  const ask = async (name: string): Promise<void> => {
    await group.sync();
    done.push(name);
  };
  const first = ask("first");
  const others = Promise.all(Array.from({ length: 100 }, async (_, index) => await ask(`other${index}`)));
  assert.equal(waiting.length, 1);
  waiting[0]?.resolve();
  await first;
  assert.deepEqual([done, waiting.length], [["first"], 2]);
  waiting[1]?.resolve();
  await others;
  assert.deepEqual([done.length, waiting.length], [101, 2]);
});

test("sync: a failure is told to those who asked, and the next one has its own chance", async () => {
  const waiting: ((error?: Error) => void)[] = [];
  const group = new GroupSync(async () => {
    await new Promise<void>((resolve, reject) => {
      waiting.push((error) => (error === undefined ? resolve() : reject(error)));
    });
  });
  const first = assert.rejects(group.sync(), /no disk/);
  const second = group.sync();
  waiting[0]?.(new Error("no disk"));
  await first;
  await new Promise(setImmediate);
  waiting[1]?.();
  await second;
  assert.equal(waiting.length, 2);
});
