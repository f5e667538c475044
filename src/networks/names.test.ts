import assert from "node:assert/strict";
import { test } from "node:test";
import { namesOf } from "./names.ts";

test("namesOf: names fit the kernel's 15 characters and differ between instances", () => {
  const [usual, other] = [namesOf("slipway"), namesOf("slipway-0a1b2c")];
  assert.deepEqual(
    [usual.bridge, usual.table, other.bridge, other.table],
    ["slipway0", "slipway", "slw-0a1b2c", "slipway-0a1b2c"],
  );
  assert.ok(usual.isOwnAlias(usual.bridgeAlias) && usual.isOwnAlias(usual.aliasOf("0a1b")));
  assert.ok(!usual.isOwnAlias(other.aliasOf("0a1b")) && !other.isOwnAlias(usual.bridgeAlias));
  for (const names of [usual, other]) {
    const link = names.newLink();
    assert.equal(link.length, 15);
    assert.ok(names.isOwnLink(link));
    assert.ok(!names.isOwnLink(names.bridge));
  }
  assert.ok(!usual.isOwnLink(other.newLink()));
  assert.ok(!other.isOwnLink(usual.newLink()));
  assert.ok(!namesOf("slipway-0a1b2d").isOwnLink(other.newLink()));
});

test("namesOf: an alias is its instance's own alone", () => {
  const [usual, other] = [namesOf("slipway"), namesOf("slipway-0a1b2c")];
  for (const alias of [usual.bridgeAlias, usual.aliasOf("1234")]) {
    assert.ok(usual.isOwnAlias(alias));
    assert.ok(!other.isOwnAlias(alias));
  }
  assert.ok(!usual.isOwnAlias(other.aliasOf("1234")));
  assert.ok(!usual.isOwnAlias(""));
});
