import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startDaemon } from "#fixtures/daemon";
import { dockerProgram } from "#fixtures/docker";
import { mustRun, runProgram } from "#fixtures/program";

test("run-a-container: shows the output and takes over the exit code", async () => {
  await using daemon = await startDaemon({ busybox: true });
  const script = join(import.meta.dirname, "run-a-container.ts");
  const env = { SLIPWAY_HOST: `unix://${daemon.socket}` };
  const args = [script, "busybox", "sh", "-c", "echo from inside; echo to stderr >&2; exit 5"];
  const outcome = await runProgram(process.execPath, args, { env });
  assert.deepEqual(outcome, { code: 5, stdout: "from inside\n", stderr: "to stderr\n" });
  assert.equal((await daemon.slipway("ps", "-aq")).stdout, "", "nothing is left over");
});

test("backup-a-volume: a bounded volume goes into a tar file and comes back with owners", async () => {
  await using daemon = await startDaemon({ busybox: true });
  const folder = await mkdtemp(join(tmpdir(), "slipway-backup-"));
  try {
    const script = join(import.meta.dirname, "backup-a-volume.sh");
    const env = { DOCKER_HOST: `unix://${daemon.socket}` };
    const { code, stdout, stderr } = await runProgram("sh", [script, await dockerProgram(), folder], { env });
    assert.equal(code, 0, stderr);
    const [created, , size, restored, note, ...removed] = stdout.trim().split("\n");
    assert.deepEqual([created, restored, removed], ["notes", "notes-restored", ["notes", "notes-restored"]]);
    assert.match(size ?? "", / (5|6)\d\.\dM .* \/data$/);
    assert.match(note ?? "", /^-rw-r--r-- +1 1000 +1000 +9 .* \/data\/note$/);
    const listed = await mustRun("tar", ["--numeric-owner", "-tvf", join(folder, "notes.tar")]);
    assert.match(listed, /^-rw-r--r-- 1000\/1000 +9 .* \.\/note$/m);
    assert.equal((await daemon.docker("volume", "ls", "-q")).stdout, "", "nothing is left over");
  } finally {
    await rm(folder, { recursive: true });
  }
});
