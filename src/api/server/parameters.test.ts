import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { Parameters } from "./parameters.ts";

test("Parameters.flag: Docker's words of falsehood, all else is true", () => {
  const flag = (query: string): boolean => new Parameters(new URLSearchParams(query)).flag("x");
  for (const word of ["", "0", "no", "false", "none", "FALSE", "%20No%20", "None"])
    assert.equal(flag(`x=${word}`), false, word);
  for (const word of ["1", "true", "yes", "on", "False!", "2", "null"]) assert.equal(flag(`x=${word}`), true, word);
  assert.equal(flag("x"), false);
  assert.equal(flag("y=1"), false);
});

test("Parameters.integer: whole numbers with a sign; anything else is a fault", () => {
  const integer = (text: string) => new Parameters(new URLSearchParams({ t: text })).integer("t");
  assert.deepEqual([integer("-1"), integer("+5"), integer("0"), integer("")], [-1, 5, 0, undefined]);
  for (const text of ["1.5", "soon", "1e3", "0x10", " 1"])
    assert.throws(
      () => integer(text),
      (error) => isFault(error, "invalid"),
    );
});
