import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";

let daemon: TestDaemon;

before(async () => {
  daemon = await startDaemon({ busybox: true });
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
});

test("docker run: output, exit code and removal", async () => {
  const { code, stdout, stderr } = await daemon.docker(
    "run",
    "--rm",
    "busybox",
    "sh",
    "-c",
    "echo hello; echo no >&2; exit 7",
  );
  assert.deepEqual({ code, stdout, stderr }, { code: 7, stdout: "hello\n", stderr: "no\n" });
  assert.equal((await daemon.docker("ps", "-aq")).stdout, "");
});
