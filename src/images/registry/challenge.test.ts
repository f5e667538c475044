import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseChallenges } from "./challenge.ts";

test("parseChallenges: reads what registries send", () => {
  const header =
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"';
  const [challenge] = parseChallenges(header);
  assert.equal(challenge?.scheme, "bearer");
  assert.equal(challenge.parameters.get("realm"), "https://auth.example/token");
  assert.equal(challenge.parameters.get("scope"), "repository:a/b:pull,push");
});

test("parseChallenges: reads several, in one header or in many", () => {
  const schemes = (header: string | string[]) => parseChallenges(header).map((challenge) => challenge.scheme);
  assert.deepEqual(schemes('Basic realm="a, b", Bearer realm=x , service=y'), ["basic", "bearer"]);
  assert.deepEqual(schemes(["Basic realm=a", "Negotiate"]), ["basic", "negotiate"]);
  assert.equal(parseChallenges('Basic realm="a \\"quoted\\" b"')[0]?.parameters.get("realm"), 'a "quoted" b');
  assert.deepEqual(parseChallenges(undefined), []);
});

test("parseChallenges: never throws", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => Array.isArray(parseChallenges(text))));
});
