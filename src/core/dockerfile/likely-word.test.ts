import assert from "node:assert/strict";
import { test } from "node:test";
import { likelyWord, suggestion } from "./likely-word.ts";

const known = ["RUN", "COPY", "ENTRYPOINT", "mount"];

test("likelyWord: the nearest known word, at most two changes away, in the case of what was written", () => {
  for (const [written, word] of [
    ["RUNN", "RUN"],
    ["rum", "run"],
    ["Cpoy", "COPY"],
    ["ENTRYPIONT", "ENTRYPOINT"],
    ["mont", "mount"],
    ["RUNNER", undefined],
    ["run", undefined],
    ["", undefined],
    ["x".repeat(100_000), undefined],
  ] as const)
    assert.equal(likelyWord(written, known), word, written.slice(0, 20));
});

test("suggestion: says it behind a message, or says nothing", () => {
  assert.equal(suggestion("RUNN", known), " (did you mean RUN?)");
  assert.equal(suggestion("nothing", known), "");
});
