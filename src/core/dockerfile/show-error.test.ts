import assert from "node:assert/strict";
import { test } from "node:test";
import { showError } from "./show-error.ts";

const text = "one\n\ttwo words\nthree\nfour\nfive\nsix";

test("showError: two lines around one, one around several, as BuildKit prints them", () => {
  const place = { start: { line: 4, column: 1 }, end: { line: 4, column: 5 } };
  assert.equal(
    showError(text, "sub/Dockerfile", place, "is wrong"),
    `sub/Dockerfile:4
--------------------
   2 |     \ttwo words
   3 |     three
   4 | >>> four
     |     ^^^^
   5 |     five
   6 |     six
--------------------
is wrong`,
  );
  assert.equal(
    showError(text, "Dockerfile", { start: { line: 2, column: 1 }, end: { line: 3, column: 4 } }, "is wrong"),
    `Dockerfile:2
--------------------
   1 |     one
   2 | >>> \ttwo words
   3 | >>> three
   4 |     four
--------------------
is wrong`,
  );
});

test("showError: carets stand below their word, behind tabs too", () => {
  const place = { start: { line: 2, column: 6 }, end: { line: 2, column: 11 } };
  assert.match(showError(text, "Dockerfile", place, "x"), /^ {5}\| {4}(?: )\t {4}\^{5}$/m);
});

test("showError: what a file holds neither moves a terminal nor floods it", () => {
  const hostile = `a\u001b[2J\u009b\u202e${"x".repeat(5000)}\r\nb`;
  const shown = showError(
    hostile,
    "Dockerfile",
    { start: { line: 1, column: 1 }, end: { line: 1, column: 4000 } },
    "m",
  );
  assert.ok(shown.length < 1500);
  assert.doesNotMatch(shown, /[\u001b\u009b\u202e\r]/);
  const lines = Array.from({ length: 500 }, () => "x").join("\n");
  const all = showError(lines, "Dockerfile", { start: { line: 1, column: 1 }, end: { line: 500, column: 2 } }, "m");
  assert.ok(all.split("\n").length < 40);
});

test("showError: a place behind the end of the text is shown as far as there is one", () => {
  const place = { start: { line: 9, column: 3 }, end: { line: 9, column: 3 } };
  assert.match(showError("a", "Dockerfile", place, "m"), /^Dockerfile:9\n/);
});
