import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "./fault.ts";
import { Places } from "./places.ts";

const never = new AbortController().signal;
const cancelled = (error: unknown) => isFault(error, "cancelled");

test("Places: are given in order, taken back, and left by those who give up", async () => {
  const places = new Places(1);
  const first = await places.take(never);
  assert.ok(places.isFull);
  const stop = new AbortController();
  const second = assert.rejects(places.take(stop.signal), cancelled);
  const third = places.take(never);
  stop.abort();
  await second;
  first[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  assert.ok(!places.isFull);
});
