import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
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

test("docker volume create --opt size: what is in the volume is bounded and nothing else is; all its containers see the same", async () => {
  assert.equal(await docker("volume", "create", "--opt", "size=20m", "data"), "data");
  assert.match(
    await docker("volume", "inspect", "-f", "{{.Options.size}} {{.Status.Disk}}", "data"),
    /^20m .*\/volumes\/data\/disk\.img$/,
  );
  const writer = "echo a >/d/one; until test -e /d/two; do sleep 0.1; done; cat /d/two; sleep 1000";
  await docker("run", "-d", "--name", "writer", "-v", "data:/d", "-v", "data:/again", "busybox", "sh", "-c", writer);
  const script = "cat /d/one; echo b >/d/two; dd if=/dev/zero of=/d/big bs=1M count=40; echo $?; df -m /d; echo ok >/x";
  const { stdout, stderr } = await daemon.docker("run", "--rm", "-v", "data:/d", "busybox", "sh", "-c", script);
  assert.match(stderr, /No space left on device/);
  const [, total] = /^a\n1\n(?:.*\n)*\/dev\/loop\d+ +(\d+)/.exec(stdout) ?? [];
  assert.ok(Number(total) > 10 && Number(total) <= 20, stdout);
  assert.equal(devices().length, 1);
  await daemon.kill9();
  await daemon.start();
  assert.equal(await docker("exec", "writer", "sh", "-c", "rm /d/big; cat /again/one /d/two; ls /d"), "a\nb\none\ntwo");
  const table = await docker("system", "df", "-v", "--format", "{{range .Volumes}}{{.Name}} {{.Size}}\n{{end}}");
  assert.match(table, /^data 4B$/m);
  assert.match((await daemon.docker("volume", "rm", "data")).stderr, /volume is in use/);
  await docker("rm", "-f", "writer");
  await noDevices();
  await docker("volume", "rm", "data");
  assert.equal(existsSync(join(daemon.roots.dataRoot, "volumes/data")), false);
});

test("docker volume create --opt size: filled from the image, read-only, by subpath, for users of a namespace, by cp when stopped", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-quota-"));
  await writeFile(join(folder, "own"), "own\n");
  const mount = "type=volume,src=bin,dst=/bin,volume-opt=size=32m";
  await docker("create", "--name", "filled", "--mount", mount, "busybox", "sh", "-c", "cat /bin/own; touch /bin/extra");
  await docker("cp", join(folder, "own"), "filled:/bin/own");
  assert.equal(await docker("start", "-a", "filled"), "own");
  await docker("cp", "filled:/bin/extra", join(folder, "extra"));
  assert.equal(await readFile(join(folder, "extra"), "utf8"), "");
  const readOnly = await daemon.docker("run", "--rm", "-v", "bin:/v:ro", "busybox", "touch", "/v/x");
  assert.match(readOnly.stderr, /Read-only file system/);
  const sub = ["run", "--rm", "--mount", "type=volume,src=bin,dst=/s,volume-subpath=own", "busybox"];
  assert.equal(await docker(...sub, "cat", "/s"), "own");
  const mapped = ["run", "--rm", "--userns", "auto", "-v", "bin:/v", "busybox", "sh", "-c"];
  const owners = await daemon.slipway(...mapped, "echo x >/v/x; stat -c %u /v/x /v/own");
  assert.equal(owners.stdout, "0\n0\n", owners.stderr);
  const given = ["run", "--rm", "--user", "1000:1001", "-v", "bin:/v:U", "busybox", "stat", "-c", "%u:%g"];
  const { stdout, stderr } = await daemon.slipway(...given, "/v", "/v/own");
  assert.equal(stdout, "1000:1001\n1000:1001\n", stderr);
  const anonymous = "type=volume,dst=/a,volume-opt=size=16m";
  assert.match(await docker("run", "--rm", "--mount", anonymous, "busybox", "df", "/a"), /\/dev\/loop/);
  await docker("rm", "filled");
  assert.equal(await docker("volume", "ls", "-q"), "bin");
  await docker("volume", "prune", "-af");
  assert.equal(await docker("volume", "ls", "-q"), "");
  await noDevices();
  await rm(folder, { recursive: true });
});

test("docker volume create --opt size: refusals, and a volume that is too small for what the image has there", async () => {
  for (const [options, words] of [
    [["size=much"], /invalid size: 'much'/],
    [["size=1k"], /not between 16m and 16t/],
    [["size=20m", "type=tmpfs", "device=tmpfs"], /conflicting options: "size" and "/],
  ] as const) {
    const refused = await daemon.docker("volume", "create", ...options.flatMap((option) => ["--opt", option]), "odd");
    assert.equal(refused.code, 1, options.join(" "));
    assert.match(refused.stderr, words);
  }
  const file = "dd if=/dev/urandom of=/big/file bs=1M count=20";
  await docker("run", "--name", "big", "busybox", "sh", "-c", `mkdir /big; ${file}`);
  await docker("commit", "big", "big");
  const mount = "type=volume,src=small,dst=/big,volume-opt=size=16m";
  const full = await daemon.docker("run", "--mount", mount, "big", "true");
  assert.match(full.stderr, /no space left on device while a volume was filled/);
  await docker("rm", "big");
  assert.equal(await docker("volume", "ls", "-q"), "");
  assert.equal(await docker("ps", "-aq"), "");
  await noDevices();
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
