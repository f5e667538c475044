import assert from "node:assert/strict";
import { test } from "node:test";
import { Restarts } from "./restarts.ts";

test("Restarts: orders before begin wait for it, each once; the wait grows, and begins anew when it is forgotten", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const started: string[] = [];
  const restarts = new Restarts(
    async (id) => void started.push(id),
    (error) => assert.fail(String(error)),
  );
  const after = async (ms: number): Promise<string> => {
    context.mock.timers.tick(ms);
    await new Promise((resolve) => setImmediate(resolve));
    return started.splice(0).join(" ");
  };
  restarts.order("a", 0);
  restarts.order("a", 0);
  restarts.order("b", 0);
  restarts.cancel("b");
  assert.equal(await after(60_000), "");
  restarts.begin();
  assert.equal(await after(99), "");
  assert.equal(await after(1), "a");
  restarts.order("a", 0);
  assert.equal(await after(199), "");
  assert.equal(await after(1), "a");
  restarts.order("a", 10_000); // it ran long enough
  assert.equal(await after(100), "a");
  restarts.order("a", 0);
  restarts.forget("a");
  assert.equal(await after(60_000), "");
  restarts.order("a", 0);
  assert.equal(await after(100), "a");
  restarts.order("a", 0);
  await restarts.close();
  restarts.order("c", 0);
  assert.equal(await after(60_000), "");
});

test("Restarts: few starts run at once, and a failing one keeps nobody", async () => {
  let running = 0;
  let most = 0;
  const failures: unknown[] = [];
  const all = Promise.withResolvers<void>();
  let left = 12;
  const restarts = new Restarts(
    async (id) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      if (--left === 0) all.resolve();
      if (id === "3") throw new Error("no");
    },
    (error) => void failures.push(error),
  );
  restarts.begin();
  for (let index = 0; index < 12; index++) restarts.order(String(index), 0);
  await all.promise;
  await restarts.close();
  assert.ok(most > 1 && most <= 4, String(most));
  assert.equal(failures.length, 1);
});
