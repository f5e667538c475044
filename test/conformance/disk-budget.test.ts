import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { makeTestImage } from "#fixtures/images";
import { mustRun, runProgram } from "#fixtures/program";

interface SmallDisk extends AsyncDisposable {
  readonly daemon: TestDaemon;
  readonly path: string;
  /** Makes images look as if they were used so many hours ago; the daemon is restarted. */
  age(hours: Readonly<Record<string, number>>): Promise<void>;
  /** Loads an image of busybox and so many bytes. */
  load(name: string, bytes: number): Promise<void>;
}

/** A daemon on a tmpfs of 100 MB; its database, busybox and hello take some 20. */
async function onSmallDisk(...args: readonly string[]): Promise<SmallDisk> {
  await using undo = new AsyncDisposableStack();
  const temporary = async (): Promise<string> => {
    const path = await mkdtemp(join(tmpdir(), "slipway-budget-"));
    undo.defer(async () => await rm(path, { recursive: true, force: true }));
    return path;
  };
  const [path, folder] = [await temporary(), await temporary()];
  await mustRun("mount", ["-t", "tmpfs", "-o", "size=100000000,mode=755", "tmpfs", path]);
  undo.defer(async () => void (await mustRun("umount", [path])));
  const execRoot = await mkdtemp("/run/slipway-test-");
  const dataRoot = join(path, "data");
  await mkdir(dataRoot);
  const roots = { dataRoot, execRoot, socket: join(execRoot, "api.sock") };
  const daemon = undo.use(await startDaemon({ busybox: true, roots, args }));
  const held = undo.move();
  return {
    daemon,
    path,
    async age(hours) {
      await daemon.stop();
      const sql = Object.entries(hours).map(
        ([name, count]) =>
          `UPDATE images SET used_ns = (unixepoch() - ${count * 3600}) * 1000000000 WHERE id =
            (SELECT image FROM image_tags WHERE repository = 'docker.io/library/${name}');`,
      );
      const script = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()";
      await mustRun("python3", ["-c", script, join(dataRoot, "slipway.db"), sql.join("\n")]);
      await daemon.start();
    },
    async load(name, bytes) {
      const archive = join(folder, `${name}.tar`);
      const data = Buffer.alloc(bytes, name).toString();
      await makeTestImage(archive, { names: [`docker.io/library/${name}:1`], files: { data } });
      await said(daemon, "load", "-q", "-i", archive);
      await rm(archive);
    },
    [Symbol.asyncDispose]: async () => await held.disposeAsync(),
  };
}

async function imageNames(daemon: TestDaemon): Promise<string[]> {
  const names = await said(daemon, "images", "--format", "{{.Repository}}");
  return names.split("\n").sort((left, right) => (left < right ? -1 : 1));
}

test("disk budget: what is least recently used goes when it is passed, nothing held, kept or fresh; events tell why", async () => {
  await using disk = await onSmallDisk("--disk-budget", "60%", "--disk-budget-keep", "pinned");
  const { daemon } = disk;
  for (const name of ["held", "old", "older", "pinned"]) await disk.load(name, 4_000_000);
  await said(daemon, "create", "--name", "holder", "held:1");
  await disk.age({ held: 900, old: 50, older: 300, pinned: 900 });
  assert.match(await said(daemon, "info"), /Disk Budget: 60%\n +Disk Used: 0\.\dGB of 0\.1GB\n/);
  const quiet = await daemon.slipway("system", "gc", "--dry-run");
  assert.match(quiet.stdout, /^Disk budget: 60% \(\d.*MB used of 60MB: nothing to do\)\nWould reclaim: 0B\n$/);
  await disk.load("fresh", 4_000_000);
  await sleep(1500); // until the daemon has looked after that load
  // Others fill the disk: the share is of the whole file system.
  const since = String(Math.floor(Date.now() / 1000) - 1);
  await writeFile(join(disk.path, "others"), Buffer.alloc(9_000_000));
  const dry = await daemon.slipway("system", "gc", "--dry-run");
  assert.match(
    dry.stdout,
    /\n\nKIND +NAME +ID +SIZE +LAST USED\nimage +older:1 +[0-9a-f]{12} +8(\.\d+)?MB +12 days ago\n\nWould/,
  );
  assert.deepEqual(await imageNames(daemon), ["busybox", "fresh", "held", "old", "older", "pinned"]);
  const done = await daemon.slipway("system", "gc");
  assert.match(done.stdout, /collecting down to 57MB\)\n[^]*older:1[^]*\nTotal reclaimed space: 8(\.\d+)?MB\n$/);
  assert.deepEqual(await imageNames(daemon), ["busybox", "fresh", "held", "old", "pinned"]);
  await said(daemon, "run", "--rm", "old:1", "true");
  const { text: events } = await daemon.api("GET", `/events?since=${since}&until=${Date.now() / 1000}`);
  assert.match(
    events,
    /"Action":"delete","Actor":{"ID":"sha256:[0-9a-f]{64}","Attributes":{[^}]*"reason":"disk budget"/,
  );
  assert.match(
    events,
    /"Type":"daemon","Action":"gc"[^\n]*"reason":"disk budget","reclaimed":"8\d+","images":"1","logs":"0"/,
  );
  // Nothing is left that may go: a fresh image, one in use an hour ago, one that is held, one that is kept.
  await writeFile(join(disk.path, "others"), Buffer.alloc(24_000_000));
  const nothing = await daemon.slipway("system", "gc");
  assert.match(nothing.stdout, /Total reclaimed space: 0B\n$/);
});

test("disk budget: collected by itself after a load; old logs of stopped containers go last, and never the newest segment", async () => {
  await using disk = await onSmallDisk("--disk-budget", "50%");
  const { daemon } = disk;
  const script = "head -c 400000 /dev/zero | tr '\\0' a | fold -w 1000; echo the end";
  const log = ["--log-driver", "local", "--log-opt", "max-size=100k", "--log-opt", "max-file=5"];
  await said(daemon, "run", "--name", "talker", ...log, "busybox", "sh", "-c", script);
  await disk.load("old", 4_000_000);
  await disk.load("held", 4_000_000);
  await said(daemon, "create", "held:1");
  await disk.age({ old: 50 });
  const id = await said(daemon, "inspect", "-f", "{{.Id}}", "talker");
  const segments = join(daemon.roots.dataRoot, "containers", id, "log");
  const before = (await readdir(segments)).sort((left, right) => (left < right ? -1 : 1));
  assert.ok(before.length > 2);
  const longAgo = new Date(Date.now() - 50 * 3_600_000);
  for (const name of before) await utimes(join(segments, name), longAgo, longAgo);
  await writeFile(join(disk.path, "others"), Buffer.alloc(22_000_000));
  await disk.load("more", 4_000_000);
  const isGone = async (): Promise<boolean> => (await readdir(segments)).length === 1;
  for (let tries = 0; !(await isGone()) && tries < 100; tries++) await sleep(100);
  assert.deepEqual(await readdir(segments), before.slice(-1));
  assert.ok((await stat(join(segments, before.at(-1) ?? ""))).size > 0);
  assert.deepEqual(await imageNames(daemon), ["busybox", "held", "more"]);
  assert.match(await said(daemon, "logs", "talker"), /the end$/);
  assert.match(await daemon.log(), /the disk budget was passed/);
  assert.match(await said(daemon, "start", "-a", "talker"), /the end$/);
});

test("disk budget: a size counts what is stored by the daemon, and off is off", async () => {
  await using disk = await onSmallDisk("--disk-budget", "100MB");
  await writeFile(join(disk.path, "others"), Buffer.alloc(60_000_000));
  const sized = await disk.daemon.slipway("system", "gc");
  assert.match(sized.stdout, /^Disk budget: 100MB \([4-9]\.?\d*MB used of 100MB: nothing to do\)/);
  const refused = await disk.daemon.slipway("daemon", "--validate", "--disk-budget", "lots");
  assert.match(refused.stderr, /invalid disk budget: lots\n.*85%, or off/);
  await using second = await onSmallDisk("--disk-budget", "off");
  assert.match((await second.daemon.slipway("system", "gc")).stdout, /^Disk budget: off \(/);
});

test("disk budget: on a disk without a byte left, what may go still goes", async () => {
  await using disk = await onSmallDisk();
  await disk.load("old", 4_000_000);
  await disk.age({ old: 2 }); // beyond 95 % an hour is enough
  await sleep(1500); // until the daemon has looked after its start
  await runProgram("sh", ["-c", 'cat /dev/zero > "$1"', "sh", join(disk.path, "others")]);
  const done = await disk.daemon.slipway("system", "gc");
  assert.match(done.stdout, /image +old:1 [^]*Total reclaimed space: 8(\.\d+)?MB\n$/);
  assert.deepEqual(await imageNames(disk.daemon), ["busybox"]);
});
