import assert from "node:assert/strict";
import { test } from "node:test";
import { platformText, rankOf, runnableOn } from "./platform.ts";

const texts = (architecture: string, variant?: string) =>
  runnableOn({ os: "linux", architecture, ...(variant !== undefined && { variant }) }).map(platformText);

test("runnableOn: itself first, then older variants, then 32-bit kin", () => {
  assert.deepEqual(texts("amd64"), ["linux/amd64", "linux/386"]);
  assert.deepEqual(texts("x86_64", "v3"), ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"]);
  assert.deepEqual(texts("aarch64"), [
    "linux/arm64/v8",
    "linux/arm/v8",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/arm/v5",
  ]);
  assert.deepEqual(texts("arm", "6"), ["linux/arm/v6", "linux/arm/v5"]);
  assert.deepEqual(texts("arm"), ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]);
  assert.deepEqual(texts("riscv64"), ["linux/riscv64"]);
});

test("rankOf: knows the many names of one platform", () => {
  const runnable = runnableOn({ os: "linux", architecture: "arm64" });
  assert.equal(rankOf({ os: "linux", architecture: "arm64", variant: "v8" }, runnable), 0);
  assert.equal(rankOf({ os: "Linux", architecture: "aarch64" }, runnable), 0);
  assert.equal(rankOf({ os: "linux", architecture: "arm", variant: "7" }, runnable), 2);
  assert.equal(rankOf({ os: "linux", architecture: "amd64" }, runnable), undefined);
  assert.equal(rankOf({ os: "windows", architecture: "arm64" }, runnable), undefined);
});
