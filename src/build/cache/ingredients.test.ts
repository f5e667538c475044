import assert from "node:assert/strict";
import { test } from "node:test";
import { Ingredients, sourcesLabel } from "./ingredients.ts";

test("Ingredients: the key is of the values, and not of which file is which", () => {
  const a = new Ingredients([["its command", "make"]], new Map([["a", "1"]]));
  const b = new Ingredients([["its command", "make"]], new Map([["a", "2"]]));
  const c = new Ingredients([["its command", "make all"]]);
  assert.equal(a.key, b.key);
  assert.notEqual(a.key, c.key);
  assert.equal(Ingredients.parse(a.text).key, a.key);
});

test("Ingredients: changes are told by the names that people know", () => {
  const before = new Ingredients(
    [
      ["$VERSION", "1"],
      ["$OLD", "x"],
      [sourcesLabel, "s1"],
    ],
    new Map([
      ["src/a.ts", "1"],
      ["src/b.ts", "1"],
    ]),
  );
  const after = new Ingredients(
    [
      ["$VERSION", "2"],
      ["$NEW", "x"],
      [sourcesLabel, "s2"],
    ],
    new Map([
      ["src/a.ts", "2"],
      ["src/c.ts", "1"],
    ]),
  );
  assert.deepEqual(after.changesSince(before), [
    "$VERSION changed",
    "$NEW is new",
    "src/a.ts changed",
    "src/b.ts is gone",
    "src/c.ts is new",
    "$OLD is gone",
  ]);
  assert.deepEqual(after.changesSince(after), []);
});

test("Ingredients: of many changed files the first are told", () => {
  const files = (version: string): Map<string, string> =>
    new Map(Array.from({ length: 10 }, (_, index) => [`f${index}`, version]));
  const changes = new Ingredients([[sourcesLabel, "2"]], files("2")).changesSince(
    new Ingredients([[sourcesLabel, "1"]], files("1")),
  );
  assert.deepEqual(changes, ["f0 changed", "f1 changed", "f2 changed", "7 more files changed"]);
});
