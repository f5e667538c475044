import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { generateName, parseName } from "./name.ts";

test("parseName: takes Docker's names, with or without the slash", () => {
  assert.equal(parseName("web-1.a_b"), "web-1.a_b");
  assert.equal(parseName("/web"), "web");
});

test("parseName: refuses the others in Docker's words", () => {
  for (const name of ["", "a", "-a", "a b", "ä1", "a/b", "//a1"]) {
    assert.throws(
      () => parseName(name),
      (error) =>
        isFault(error, "invalid") &&
        error.message === `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  }
});

test("generateName: makes adjective_surname, and digits behind it when many are taken", () => {
  assert.match(
    generateName(() => false),
    /^[a-z]+_[a-z]+$/,
  );
  let asked = 0;
  const name = generateName(() => ++asked <= 8);
  assert.match(name, /^[a-z]+_[a-z]+[0-9]+$/);
  assert.equal(parseName(name), name);
});

test("generateName: gives up when nothing is free", () => {
  assert.throws(
    () => generateName(() => true),
    (error) => isFault(error, "exhausted"),
  );
});
