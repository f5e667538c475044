import assert from "node:assert/strict";
import { test } from "node:test";
import { boundedLookup, type SystemLookup } from "./lookup.ts";

test("boundedLookup: asks for few names at a time and for each once", () => {
  const pending: { name: string; answer: () => void }[] = [];
  const system: SystemLookup = (name, _options, answer) => {
    pending.push({ name, answer: () => answer(null, [{ address: "192.0.2.1", family: 4 }]) });
  };
  const lookup = boundedLookup(2, system);
  const told: string[] = [];
  for (const name of ["a", "b", "a", "c"]) lookup(name, { all: true }, () => void told.push(name));
  assert.deepEqual(
    pending.map(({ name }) => name),
    ["a", "b"],
  );
  pending[0]?.answer();
  assert.deepEqual(told, ["a", "a"]);
  assert.deepEqual(
    pending.map(({ name }) => name),
    ["a", "b", "c"],
  );
  pending[2]?.answer();
  pending[1]?.answer();
  assert.deepEqual(told, ["a", "a", "c", "b"]);
});

test("boundedLookup: finds what the hosts file says", async () => {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  boundedLookup()("localhost", { family: 4 }, (error, address) => (error === null ? resolve(address) : reject(error)));
  assert.equal(await promise, "127.0.0.1");
});
