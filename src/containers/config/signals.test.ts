import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { parseSignal } from "./signals.ts";

test("parseSignal: knows every signal of this machine by name, with and without SIG, in any case", () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    assert.equal(parseSignal(name), number, name);
    assert.equal(parseSignal(name.slice(3).toLowerCase()), number, name);
  }
});

test("parseSignal: takes numbers and real-time signals", () => {
  assert.deepEqual(
    ["9", "64", "RTMIN", "SIGRTMIN+3", "rtmax-2", "RTMAX"].map((text) => parseSignal(text)),
    [9, 64, 34, 37, 62, 64],
  );
});

test("parseSignal: refuses the rest", () => {
  for (const text of ["", "0", "65", "999", "NOPE", "RTMIN+31", "RTMIN-1", "-9", "9x"]) {
    assert.throws(
      () => parseSignal(text),
      (error) => isFault(error, "invalid") && error.message === `Invalid signal: ${text}`,
    );
  }
});
