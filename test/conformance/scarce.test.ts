import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { mustRun, runProgram } from "#fixtures/program";

/** A folder for the test's own use; `mounted`: on a tmpfs of that size. */
async function scratch(mounted?: string): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "slipway-scarce-"));
  if (mounted !== undefined) await mustRun("mount", ["-t", "tmpfs", "-o", `size=${mounted},mode=755`, "tmpfs", path]);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      if (mounted !== undefined) await mustRun("umount", [path]);
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** A daemon whose data root is on a disk of that size. */
async function onSmallDisk(disk: string): Promise<TestDaemon> {
  const execRoot = await mkdtemp("/run/slipway-test-");
  const dataRoot = join(disk, "data");
  await mkdir(dataRoot);
  return await startDaemon({ busybox: true, roots: { dataRoot, execRoot, socket: join(execRoot, "api.sock") } });
}

test("a full disk: clear errors, nothing half left, removals make room, and the daemon goes on", async () => {
  await using disk = await scratch("40m");
  await using folder = await scratch();
  await using daemon = await onSmallDisk(disk.path);
  const noise = join(folder.path, "noise");
  await mustRun("sh", [
    "-c",
    'head -c 60000000 /dev/urandom > "$1" && tar -C "$2" -cf "$1.tar" noise',
    "sh",
    noise,
    folder.path,
  ]);
  const isClean = async (): Promise<void> => {
    assert.equal(await said(daemon, "images", "-q"), await said(daemon, "images", "-q", "busybox"));
    assert.equal(await said(daemon, "run", "--rm", "busybox", "echo", "works"), "works");
  };

  await refused(daemon, "no space left on device", "import", `${noise}.tar`);
  await isClean();
  assert.deepEqual(await readdir(join(daemon.roots.dataRoot, "content/ingest")).catch(() => []), []);

  await said(daemon, "run", "-d", "--name", "runner", "busybox", "sleep", "60");
  const writer = await refused(
    daemon,
    "No space left on device",
    "run",
    "--name",
    "writer",
    "busybox",
    "sh",
    "-c",
    "cat /dev/zero > /big",
  );
  assert.equal(writer.code, 1);
  const small = await daemon.docker("run", "--name", "small", "busybox", "echo", "small things may go on");
  assert.match(small.code === 0 ? small.stdout : small.stderr, /small things may go on|no space left on device/);
  await refused(daemon, "no space left on device", "import", `${noise}.tar`);
  await daemon.kill9();
  await daemon.start();
  assert.equal(await said(daemon, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "writer"), "exited 1");
  await said(daemon, "stop", "-t", "0", "runner");
  assert.equal(await said(daemon, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "runner"), "exited 137");
  await said(daemon, "container", "prune", "-f");
  assert.equal(await said(daemon, "ps", "-aq"), "");
  await isClean();

  const script = "head -c 80000000 /dev/zero | tr '\\0' a | fold -w 1000; exit 4";
  await said(daemon, "run", "-d", "--name", "talker", "busybox", "sh", "-c", script);
  assert.equal(await said(daemon, "wait", "talker"), "4", "the program is not held up by its log's disk");
  const { code, stdout } = await daemon.docker("logs", "talker");
  assert.equal(code, 0);
  assert.match(stdout, /^a{1000}\n/);
  await said(daemon, "rm", "talker");
  await isClean();
});

test("addresses of a small bridge run out in Docker's words; one that is given back is used again", async () => {
  await using daemon = await startDaemon({ busybox: true, args: ["--bip", "10.213.77.1/29"] });
  const names = ["n2", "n3", "n4", "n5", "n6"];
  for (const name of names) await said(daemon, "run", "-d", "--name", name, "busybox", "sleep", "60");
  await refused(
    daemon,
    "no available IPv4 addresses on this network's address pools",
    "run",
    "--rm",
    "busybox",
    "true",
  );
  await said(daemon, "rm", "-f", "n4");
  assert.match(
    await said(daemon, "run", "--rm", "busybox", "ip", "-o", "-4", "address", "show", "eth0"),
    /10\.213\.77\.4\/29/,
  );
  assert.equal((await said(daemon, "ps", "-aq")).split("\n").length, names.length - 1);
});

test("an OCI runtime that is not there: at the daemon's start, and when it goes away later", async () => {
  await using folder = await scratch();
  const roots = [
    "--data-root",
    join(folder.path, "d"),
    "--exec-root",
    join(folder.path, "e"),
    "-H",
    `unix://${folder.path}/s`,
  ];
  await using daemon = await startDaemon({ busybox: true });
  const broken = await daemon.slipway("daemon", ...roots, "--add-runtime", "broken=/nonexistent");
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /runtime broken: \/nonexistent is not an executable program/);
  const unknown = await daemon.slipway("daemon", ...roots, "--default-runtime", "nope");
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /default runtime nope is neither installed nor added[^]*--add-runtime nope=/);

  const program = join(folder.path, "own-crun");
  await copyFile((await mustRun("sh", ["-c", "command -v crun"])).trim(), program);
  await using second = await startDaemon({ busybox: true, args: ["--add-runtime", `own=${program}`] });
  assert.equal(await said(second, "run", "--rm", "--runtime", "own", "busybox", "echo", "own"), "own");
  await said(second, "create", "--name", "later", "--runtime", "own", "busybox", "true");
  await rm(program);
  await refused(
    second,
    new RegExp(`exec ${program}: no such file or directory: unknown\nThe OCI runtime's program`),
    "start",
    "later",
  );
  assert.equal(await said(second, "inspect", "-f", "{{.State.Status}}", "later"), "created");
  assert.equal(await said(second, "run", "--rm", "busybox", "echo", "others run"), "others run");
  await said(second, "rm", "later");
  const left = async () => (await runProgram("ls", [join(second.roots.execRoot, "containers")])).stdout;
  for (let wait = 0; wait < 100 && (await left()) !== ""; wait++) await sleep(50); // cleaned behind the answer
  assert.equal(await left(), "");
});
