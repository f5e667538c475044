import assert from "node:assert/strict";
import { test } from "node:test";
import { hasWildcards, unescapeGlob } from "./glob.ts";
import { ignoreRules } from "./ignore.ts";

test("unescapeGlob: the text that an escaped pattern stands for", () => {
  assert.equal(unescapeGlob(String.raw`a\*b\\c`), String.raw`a*b\c`);
  assert.equal(hasWildcards("a/b"), false);
});

test("ignoreRules: blank patterns are passed over, and the others are of no line", () => {
  assert.deepEqual(
    ignoreRules(["/a/", " ", "!b"]).map(({ pattern, negated, line }) => [pattern, negated, line]),
    [
      ["a", false, 0],
      ["b", true, 0],
    ],
  );
});
