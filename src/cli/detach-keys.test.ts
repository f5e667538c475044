import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDetachKeys } from "./detach-keys.ts";

test("parseDetachKeys: a sequence, the default, and what is no key", () => {
  assert.deepEqual(parseDetachKeys("ctrl-a,d"), Uint8Array.of(1, 100));
  assert.deepEqual(parseDetachKeys(""), Uint8Array.of(16, 17));
  assert.throws(() => parseDetachKeys("ctrl-A1"), /invalid detach keys/);
});
