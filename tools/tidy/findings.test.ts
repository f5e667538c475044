import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { findingsIn, importsOf } from "./findings.ts";
import { brokenPromises } from "./promises.ts";
import { readDoors, readSources } from "./sources.ts";

const root = join(import.meta.dirname, "../..");
const doors = {
  "#core/*": "./src/core/*.ts",
  "#host": "./src/host/host.ts",
  "#images": "./src/images/images.ts",
  "#api/wire": "./src/api/wire/wire.ts",
  "#cli": "./src/cli/cli.ts",
  "#daemon": "./src/daemon.ts",
};

function messages(path: string, text: string): string[] {
  return findingsIn([{ path, text }], doors).map(({ line, message }) => `${line}: ${message}`);
}

test("findingsIn: imports that go down by a door are right", () => {
  assert.deepEqual(
    messages("src/images/pull.ts", 'import { Fault } from "#core/fault";\nimport type { Host } from "#host";'),
    [],
  );
  assert.deepEqual(messages("src/images/pull.ts", 'import { x } from "./resolve.ts";\nimport y from "node:fs";'), []);
  assert.deepEqual(messages("src/daemon.ts", 'import { openImages } from "#images";'), []);
  assert.deepEqual(messages("src/images/deep/pull.ts", 'import { x } from "../resolve.ts";'), []);
});

test("findingsIn: an import upwards is named with what is allowed", () => {
  assert.deepEqual(messages("src/host/open.ts", '\nimport type { Images } from "#images";'), [
    "2: host may not import #images: only core",
  ]);
  assert.deepEqual(messages("src/core/digest.ts", 'export type { Host } from "#host";'), [
    "1: core may not import #host: only nothing",
  ]);
  assert.deepEqual(messages("src/cli/run.ts", 'const host = await import("#host");').length, 1);
});

test("findingsIn: the command line loads the daemon only when it runs it", () => {
  assert.deepEqual(messages("src/cli/daemon.ts", 'const { runDaemon } = await import("#daemon");'), []);
  assert.deepEqual(messages("src/cli/daemon.ts", 'import { runDaemon } from "#daemon";'), [
    "1: cli may import #daemon by import() only",
  ]);
});

test("findingsIn: a wall is crossed by doors only, from outside the rooms too", () => {
  assert.deepEqual(messages("src/images/pull.ts", 'import { Fault } from "../core/fault.ts";').length, 1);
  assert.deepEqual(messages("src/api/server/a.ts", 'import { x } from "../wire/wire.ts";').length, 1);
  assert.deepEqual(messages("test/run.test.ts", 'import { x } from "../src/images/pull.ts";').length, 1);
  assert.deepEqual(messages("src/images/pull.ts", 'import { x } from "#nowhere";').length, 1);
  assert.deepEqual(messages("src/images/pull.ts", 'import { x } from "#images";').length, 1);
});

test("findingsIn: only host starts processes and reads the kernel's files", () => {
  const spawning = 'import { spawn } from "node:child_process";';
  assert.equal(messages("src/images/tar.ts", spawning).length, 1);
  assert.equal(messages("src/host/exec.ts", spawning).length, 0);
  assert.equal(messages("src/images/tar.test.ts", spawning).length, 0);
  assert.equal(messages("src/networks/x.ts", 'readFileSync("/proc/self/mounts")').length, 1);
  assert.equal(messages("src/containers/masked.ts", 'const masked = ["/proc/kcore", "/sys/firmware"];').length, 0);
});

test("findingsIn: fixtures are for tests", () => {
  const text = 'import { startDaemon } from "#fixtures/daemon";';
  const table = { ...doors, "#fixtures/*": "./test/fixtures/*.ts" };
  assert.equal(findingsIn([{ path: "src/images/pull.test.ts", text }], table).length, 0);
  assert.equal(findingsIn([{ path: "src/images/pull.ts", text }], table).length, 1);
});

test("findingsIn: tests may build on the insides of rooms below, never above", () => {
  const text = 'import { connectShim } from "../host/shim/shim.ts";';
  assert.equal(findingsIn([{ path: "src/images/pull.test.ts", text }], doors).length, 0);
  assert.equal(findingsIn([{ path: "src/images/images.fixture.ts", text }], doors).length, 0);
  assert.equal(findingsIn([{ path: "src/core/tar.test.ts", text }], doors).length, 1);
});

test("findingsIn: names without a meaning are refused", () => {
  for (const path of ["src/images/utils.ts", "src/images/pull-helper.ts", "src/containers/manager/start.ts"]) {
    assert.equal(messages(path, "").length, 1, path);
  }
  assert.equal(messages("src/images/commons.ts", "").length, 0);
});

test("importsOf: sees types, re-exports, bare, dynamic and many-line imports", () => {
  const dynamic = "import"; // kept apart, or this file itself would seem to import #d
  const text = `import type {\n  A,\n} from "#a";\nexport * from "#b";\nimport "#c";\nconst d = await ${dynamic}("#d");\n`;
  assert.deepEqual(
    importsOf(text).map(({ specifier, line }) => `${specifier}@${line}`),
    ["#a@3", "#b@4", "#c@5", "#d@6"],
  );
});

test("findingsIn: this repository keeps its own rules", async () => {
  const files = await readSources(root);
  assert.ok(files.length > 20);
  assert.deepEqual(findingsIn(files, await readDoors(root)), []);
});

test("brokenPromises: names proofs that are not there", () => {
  const files = [{ path: "a/b.test.ts", text: 'test("x: works", () => {});' }];
  assert.deepEqual(brokenPromises('| p | `a/b.test.ts` "x: works" |\n| q | `a/b.test.ts` |', files), []);
  assert.deepEqual(
    brokenPromises('| p | `a/b.test.ts` "x: flies" |\n| q | `a/c.test.ts` |', files).map(
      ({ line, message }) => `${line}: ${message}`,
    ),
    ['1: a/b.test.ts has no test "x: flies"', "2: a/c.test.ts does not exist"],
  );
});
