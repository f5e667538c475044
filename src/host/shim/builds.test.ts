import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const repository = resolve(import.meta.dirname, "../../..");
const run = promisify(execFile);

async function build(kind: string): Promise<void> {
  await run("sh", [join(repository, "shim/build.sh"), kind]);
}

test("build.sh: the static program is small, and builds with glibc too", async () => {
  await build("musl");
  await build("glibc");
  assert.ok(statSync(join(repository, "build/shim/slipway-shim")).size <= 180_000);
});

test("build.sh analyze: the compiler's own analysis finds nothing", async () => {
  // A finding is an error and fails the build.
  await assert.doesNotReject(build("analyze"));
});

test("shim: the black-box tests pass on a build that checks addresses and undefined behaviour", async () => {
  await build("sanitize");
  const files = ["files", "monitor", "mounts", "names", "names-hostile", "output", "ports", "probes", "shim"].map(
    (name) => join(import.meta.dirname, `${name}.test.ts`),
  );
  // Of a runner inside a runner, node would run nothing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = await run(process.execPath, ["--test", ...files], {
    env: { ...env, SLIPWAY_SHIM_KIND: "sanitize" },
    maxBuffer: 16 << 20,
  });
  assert.match(stdout, /fail 0/);
  assert.match(stdout, /pass [1-9]\d/);
});
