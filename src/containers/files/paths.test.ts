import assert from "node:assert/strict";
import { test } from "node:test";
import { baseOf, cleanPath, folderOf } from "./paths.ts";

test("cleanPath, baseOf, folderOf: as Docker and Go have them", () => {
  const table = [
    ["etc/passwd", "/etc/passwd", "passwd", "/etc"],
    ["/a//b/../c", "/a/c", "c", "/a"],
    ["/../../x", "/x", "x", "/"],
    ["/a/", "/a/", "a", "/a"],
    ["/a/.", "/a/.", ".", "/a"],
    [".", "/", "/", "/"],
    ["/", "/", "/", "/"],
    ["/..", "/", "/", "/"],
  ] as const;
  for (const [given, clean, base, folder] of table) {
    assert.equal(cleanPath(given), clean, given);
    assert.equal(baseOf(clean), base, given);
    assert.equal(folderOf(clean), folder, given);
  }
  assert.throws(() => cleanPath("/a\0b"), { kind: "invalid" });
});
