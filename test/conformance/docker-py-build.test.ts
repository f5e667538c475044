import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startDaemon } from "../fixtures/daemon.ts";
import { runProgram } from "../fixtures/program.ts";

test("docker-py: builds folders, files and packed contexts, and gets its errors", async () => {
  await using daemon = await startDaemon({ busybox: true });
  const script = join(import.meta.dirname, "docker_py_build_suite.py");
  const { code, stdout, stderr } = await runProgram("/usr/bin/python3", ["-W", "ignore", script, "-v"], {
    env: { DOCKER_HOST: `unix://${daemon.socket}` },
    timeoutMs: 180_000,
  });
  assert.equal(code, 0, stderr);
  const count = [...(await readFile(script, "utf8")).matchAll(/^ {4}def test_/gm)].length;
  assert.match(stderr, new RegExp(`Ran ${count} tests[^]*\\nOK\\n$`), stdout);
});
