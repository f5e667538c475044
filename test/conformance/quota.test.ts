import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon({ busybox: true });
});
after(async () => await daemon[Symbol.asyncDispose]());

async function docker(...args: readonly string[]): Promise<string> {
  return (await said(daemon, ...args)).trim();
}

test("docker run --storage-opt size: what the container writes is bounded, and nothing else is", async () => {
  const limited = ["--storage-opt", "size=20m", "busybox"];
  const full = await daemon.docker("run", "--rm", ...limited, "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=40");
  assert.equal(full.code, 1);
  assert.match(full.stderr, /No space left on device/);
  // The container knows its bound; volumes, tmpfs and the host have their own.
  const table = await docker("run", "--rm", "--tmpfs", "/t", ...limited, "df", "-m", "/", "/t");
  const [, root] = /overlay +(\d+)/.exec(table) ?? [];
  assert.ok(Number(root) <= 20, table);
  await noDevices();
});

test("docker cp, diff, commit, export, ps -s: see what a bounded container wrote, running or stopped", async () => {
  await docker(
    "run",
    "-d",
    "--name",
    "bounded",
    "--storage-opt",
    "size=32m",
    "busybox",
    "sh",
    "-c",
    "echo a >/one; sleep 1000",
  );
  assert.equal(devices().length, 1);
  const folder = await mkdtemp(join(tmpdir(), "slipway-quota-"));
  await writeFile(join(folder, "two"), "b\n");
  await docker("cp", join(folder, "two"), "bounded:/two");
  assert.equal(await docker("exec", "bounded", "cat", "/one", "/two"), "a\nb");
  await docker("stop", "-t", "0", "bounded");
  await docker("cp", "bounded:/one", join(folder, "one"));
  assert.equal(await readFile(join(folder, "one"), "utf8"), "a\n");
  await docker("cp", join(folder, "two"), "bounded:/three");
  assert.equal(await docker("diff", "bounded"), "A /one\nA /two\nA /three".split("\n").toSorted().join("\n"));
  assert.match(await docker("ps", "-as", "--filter", "name=bounded", "--format", "{{.Size}}"), /^6B \(virtual/);
  await docker("commit", "bounded", "committed");
  assert.equal(await docker("run", "--rm", "committed", "cat", "/one", "/three"), "a\nb");
  const { stdout } = await daemon.docker("export", "bounded");
  assert.match(stdout, /three/);
  await docker("start", "bounded");
  assert.equal(await docker("exec", "bounded", "cat", "/two"), "b");
  assert.match(
    await docker("inspect", "-f", "{{.HostConfig.StorageOpt.size}} {{.GraphDriver.Data.Disk}}", "bounded"),
    /^32m .*disk\.img$/,
  );
  await docker("rm", "-f", "bounded");
  await noDevices();
  await rm(folder, { recursive: true });
});

test("docker run --storage-opt size: in a user namespace, read-only, and with a daemon that was killed", async () => {
  const limited = ["--storage-opt", "size=16m", "busybox", "sh", "-c"];
  const mapped = await daemon.slipway(
    "run",
    "--rm",
    "--userns",
    "auto",
    ...limited,
    "echo x >/x; stat -c %u /x; cat /x",
  );
  assert.equal(mapped.stdout, "0\nx\n", mapped.stderr);
  const { stderr } = await daemon.docker(
    "run",
    "--rm",
    "--read-only",
    "--storage-opt",
    "size=16m",
    "busybox",
    "touch",
    "/x",
  );
  assert.match(stderr, /Read-only file system/);
  await docker(
    "run",
    "-d",
    "--name",
    "lasting",
    "--storage-opt",
    "size=16m",
    "busybox",
    "sh",
    "-c",
    "echo y >/y; sleep 1000",
  );
  await daemon.kill9();
  await daemon.start();
  assert.equal(await docker("exec", "lasting", "cat", "/y"), "y");
  assert.match(await docker("diff", "lasting"), /A \/y/);
  await docker("rm", "-f", "lasting");
  await noDevices();
});

test("docker create --storage-opt: refusals", async () => {
  for (const [option, words] of [
    ["size=much", /invalid size: 'much'/],
    ["size=1k", /not between 16m and 16t/],
    ["colour=red", /Unknown option colour/],
  ] as const) {
    const refused = await daemon.docker("create", "--storage-opt", option, "busybox");
    assert.equal(refused.code, 1, option);
    assert.match(refused.stderr, words);
  }
  assert.equal(await docker("ps", "-aq"), "");
});

/** Loop devices of this daemon's files. */
function devices(): string[] {
  const { stdout } = spawnSync("losetup", ["--list", "--noheadings", "--output", "NAME,BACK-FILE"], {
    encoding: "utf8",
  });
  return stdout.split("\n").filter((line) => line.includes(daemon.roots.dataRoot));
}

/** The kernel lets a device go shortly after its last mount. */
async function noDevices(): Promise<void> {
  for (let tries = 0; tries < 100 && devices().length > 0; tries++) await sleep(20);
  assert.deepEqual(devices(), []);
}
