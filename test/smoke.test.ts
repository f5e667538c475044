import assert from "node:assert/strict";
import { test } from "node:test";
import { startDaemon } from "#fixtures/daemon";
import { settle, takeInventory } from "#fixtures/inventory";

test("startDaemon: a private daemon serves the docker CLI and ours, survives kill -9, and leaves nothing", async () => {
  const daemon = await startDaemon({ busybox: true });
  const { execRoot, dataRoot } = daemon.roots;
  const traces = new RegExp([daemon.instance, daemon.instance.slice("slipway-".length), execRoot, dataRoot].join("|"));
  try {
    const run = await daemon.docker("run", "--rm", "busybox", "sh", "-c", "echo hello; echo no >&2; exit 7");
    assert.deepEqual(run, { code: 7, stdout: "hello\n", stderr: "no\n" });
    assert.equal((await daemon.docker("ps", "-aq")).stdout, "");
    assert.equal((await daemon.docker("run", "-d", "--name", "keeper", "busybox", "sleep", "1000")).code, 0);
    await daemon.kill9();
    await daemon.start();
    assert.match((await daemon.slipway("ps")).stdout, /keeper/);
  } finally {
    await daemon[Symbol.asyncDispose]();
  }
  assert.deepEqual(await settle(new Set(), traces), []);
  assert.equal((await takeInventory(traces)).size, 0);
});
