import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type DaemonRoots, slipwayProgram, startDaemon } from "#fixtures/daemon";
import { makeDisk, type TestDisk } from "#fixtures/disks";
import { said } from "#fixtures/expect";
import { mustRun, runProgram } from "#fixtures/program";

async function tmpfs(): Promise<Pick<TestDisk, "path"> & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "slipway-disk-"));
  await mustRun("mount", ["-t", "tmpfs", "-o", "size=200m,mode=755", "tmpfs", path]);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await mustRun("umount", [path]);
      await rm(path, { recursive: true });
    },
  };
}

async function rootsOn(path: string): Promise<DaemonRoots> {
  const execRoot = await mkdtemp("/run/slipway-test-");
  const dataRoot = join(path, "data");
  await mkdir(dataRoot, { recursive: true });
  return { dataRoot, execRoot, socket: join(execRoot, "api.sock") };
}

const kinds = {
  tmpfs: { shown: "tmpfs", make: tmpfs },
  btrfs: { shown: "btrfs", make: async () => await makeDisk("btrfs", 300_000_000) },
  xfs: { shown: "xfs", make: async () => await makeDisk("xfs", 400_000_000) },
};

for (const [kind, { shown, make }] of Object.entries(kinds)) {
  test(`data root on ${kind}: hello and busybox run, write, are committed and collected; the daemon comes back to it`, async () => {
    await using disk = await make();
    await using daemon = await startDaemon({ busybox: true, roots: await rootsOn(disk.path) });
    assert.match(await said(daemon, "info"), new RegExp(`Backing Filesystem: ${shown}\n`));
    assert.match(await said(daemon, "run", "--rm", "hello"), /Hello/i);
    await said(
      daemon,
      "run",
      "--name",
      "writer",
      "busybox",
      "sh",
      "-c",
      "rm /etc/group; mkdir /etc/new; echo kept > /f",
    );
    assert.equal(await said(daemon, "diff", "writer"), "C /etc\nD /etc/group\nA /etc/new\nA /f");
    await said(daemon, "commit", "writer", "made:1");
    await daemon.kill9();
    await daemon.start();
    assert.equal(
      await said(daemon, "run", "--rm", "made:1", "sh", "-c", "cat /f; ls /etc/group 2>&1 | wc -l"),
      "kept\n1",
    );
    assert.equal((await daemon.slipway("system", "check")).stdout, "All is sound.\n");
    await said(daemon, "system", "prune", "-a", "-f");
    assert.equal((await daemon.slipway("system", "check")).stdout, "All is sound.\n");
    assert.deepEqual(await readdir(join(daemon.roots.dataRoot, "roots")), []);
  });
}

test("data root on a read-only file system: the daemon says so, says what to do, and ends with 1", async () => {
  await using made = await makeDisk("ext4", 64_000_000);
  await mkdir(join(made.path, "data"));
  await mustRun("mount", ["-o", "remount,ro", made.path]);
  const roots = await rootsOn(made.path);
  const [node = "", program = ""] = slipwayProgram;
  const args = ["--data-root", roots.dataRoot, "--exec-root", roots.execRoot, "-H", `unix://${roots.socket}`];
  const { code, stderr } = await runProgram(node, [program, "daemon", ...args]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`${roots.dataRoot} cannot be written: its file system is read-only\n.*--data-root`));
  await rm(roots.execRoot, { recursive: true });
});
