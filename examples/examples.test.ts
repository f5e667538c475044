import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { startDaemon } from "#fixtures/daemon";
import { runProgram } from "#fixtures/program";

test("run-a-container: shows the output and takes over the exit code", async () => {
  await using daemon = await startDaemon({ busybox: true });
  const script = join(import.meta.dirname, "run-a-container.ts");
  const env = { SLIPWAY_HOST: `unix://${daemon.socket}` };
  const args = [script, "busybox", "sh", "-c", "echo from inside; echo to stderr >&2; exit 5"];
  const outcome = await runProgram(process.execPath, args, { env });
  assert.deepEqual(outcome, { code: 5, stdout: "from inside\n", stderr: "to stderr\n" });
  assert.equal((await daemon.slipway("ps", "-aq")).stdout, "", "nothing is left over");
});
