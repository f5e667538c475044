import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { parseDetachKeys } from "./detach-keys.ts";

test("parseDetachKeys: Docker's default, letters, control keys, none", () => {
  assert.deepEqual([...parseDetachKeys(undefined)], [16, 17]);
  assert.deepEqual([...parseDetachKeys("a,ctrl-[,ctrl-@,ctrl-Z")], [97, 27, 0, 26]);
  assert.deepEqual([...parseDetachKeys("")], []);
});

test("parseDetachKeys: refuses what is no key", () => {
  for (const text of ["ctrl-1", "ab", "ctrl-", "a,,b", "ä"]) {
    assert.throws(
      () => parseDetachKeys(text),
      (error) => isFault(error, "invalid") && error.message === `Invalid detach keys (${text}) provided`,
    );
  }
});
