import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fluentdCollector, until } from "#fixtures/collectors";
import { startDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { mustRun, runProgram } from "#fixtures/program";

/** Says when it comes so far by files in a folder of the host; 200,000 lines of 32 bytes while the disk is full. */
const script = `
pause() { until [ -e /control/$1 ]; do sleep 0.05; done; }
echo begin
pause full
yes 0123456789abcdef0123456789abcde | head -n 200000
touch /control/written
pause free
for i in 1 2 3; do sleep 1.1; echo tick $i; done
`;
const writtenBytes = 200_000 * 32;

test("a disk that is full while a container logs: it is not held up, what was lost is said exactly, and all goes on", async () => {
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "slipway-full-"));
  undo.defer(async () => await rm(folder, { recursive: true, force: true }));
  const [disk, control, data] = [join(folder, "disk"), join(folder, "control"), join(folder, "disk/data")];
  await mkdir(disk);
  await mkdir(control);
  await mustRun("mount", ["-t", "tmpfs", "-o", "size=40m,mode=755", "tmpfs", disk]);
  undo.defer(async () => void (await mustRun("umount", [disk])));
  await mkdir(data);
  const { collector, records } = fluentdCollector();
  const target = undo.use(collector);
  await target.listen();
  const execRoot = await mkdtemp("/run/slipway-test-");
  const roots = { dataRoot: data, execRoot, socket: join(execRoot, "api.sock") };
  const daemon = undo.use(await startDaemon({ busybox: true, roots }));

  const forwarding = ["--log-driver", "fluentd", "--log-opt", `fluentd-address=127.0.0.1:${target.port}`];
  const acked = ["--log-opt", "fluentd-request-ack=true"];
  const common = ["-v", `${control}:/control`, "busybox", "sh", "-c", script];
  await said(daemon, "run", "-d", "--name", "talker", ...forwarding, ...acked, ...common);
  const seen = (): string[] => records.map(({ fields }) => fields["log"] ?? "");
  await until(() => seen().includes("begin"), seen);
  await runProgram("dd", ["if=/dev/zero", `of=${disk}/filler`, "bs=4096"]);
  await writeFile(join(control, "full"), "");
  await until(
    () => existsSync(join(control, "written")),
    () => "the program is held up by its log's disk",
  );
  await rm(join(disk, "filler"));
  await writeFile(join(control, "free"), "");
  assert.equal(await said(daemon, "wait", "talker"), "0");

  const { stdout, stderr } = await daemon.docker("logs", "talker");
  const kept = stdout.trimEnd().split("\n");
  const note = stderr.trimEnd();
  const lostBytes = Number(/^\[slipway: (\d+) bytes of output are lost here: the disk was full\]$/.exec(note)?.[1]);
  assert.equal(stdout.length + lostBytes, "begin\n".length + writtenBytes + 3 * "tick 1\n".length, note);
  assert.equal(kept[0], "begin");
  assert.deepEqual(kept.slice(-2), ["tick 2", "tick 3"]);
  await until(() => seen().at(-1) === "tick 3", seen);
  assert.ok(seen().includes(note), "the target is told too");
  const received = seen().filter((line) => line !== note);
  assert.equal(received.join(""), kept.join(""), "the same as in the log, once and in order");
});
