import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, beforeEach, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { startVolumePlugin, type VolumePlugin } from "#fixtures/volume-plugin";

let daemon: TestDaemon;
let plugin: VolumePlugin;
before(async () => {
  plugin = await startVolumePlugin();
  daemon = await startDaemon({ busybox: true });
});
beforeEach(() => void plugin.calls.splice(0));
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await plugin[Symbol.asyncDispose]();
});

const docker = async (...args: string[]): Promise<string> => await said(daemon, ...args);
const called = (method: string): unknown[] =>
  plugin.calls.filter((call) => call.method === `VolumeDriver.${method}`).map(({ body }) => body);

test("a plugin's volume: made with its options, shown with its status, removed", async () => {
  await docker("volume", "create", "-d", plugin.name, "-o", "size=5", "--label", "a=b", "far");
  assert.deepEqual(called("Create"), [{ Name: "far", Opts: { size: "5" } }]);
  const [facts] = JSON.parse(await docker("volume", "inspect", "far"));
  assert.deepEqual(
    [facts.Driver, facts.Mountpoint, facts.Status, facts.Labels, facts.Options],
    [plugin.name, "", { users: 0 }, { a: "b" }, { size: "5" }],
  );
  assert.equal(await docker("volume", "ls", "--format", "{{.Driver}} {{.Name}}"), `${plugin.name} far`);
  await refused(daemon, "create far: conflict: volume name must be unique", "volume", "create", "far");
  await docker("volume", "rm", "far");
  assert.deepEqual(called("Remove"), [{ Name: "far" }]);
  assert.equal(await docker("volume", "ls", "-q"), "");
});

test("--volume-driver: mounted once for each container, by its id, and unmounted at its end", async () => {
  const run = ["run", "-d", "--volume-driver", plugin.name, "-v", "shared:/a"];
  const first = await docker(...run, "-v", "shared:/b", "busybox", "sleep", "60");
  const second = await docker(...run, "busybox", "sh", "-c", "echo text >/a/f; sleep 60");
  assert.deepEqual(plugin.mountsOf("shared"), [first, second]);
  assert.deepEqual(
    called("Mount").filter((body) => (body as { ID: string }).ID === first),
    [{ Name: "shared", ID: first }],
  );
  for (
    let tries = 0;
    tries < 50 && (await readFile(join(plugin.folder, "shared/f"), "utf8").catch(() => "")) === "";
    tries++
  )
    await sleep(50);
  assert.equal(await docker("exec", first, "cat", "/b/f"), "text");
  await docker("rm", "-f", first);
  assert.deepEqual(plugin.mountsOf("shared"), [second]);
  await daemon.kill9();
  await daemon.start();
  assert.deepEqual(plugin.mountsOf("shared"), [second], "it runs on");
  await docker("rm", "-f", second);
  assert.deepEqual(plugin.mountsOf("shared"), []);
  await docker("volume", "rm", "shared");
});

test("a container that ended while no daemon was there: its volume is unmounted at the next start", async () => {
  const id = await docker(
    "run",
    "-d",
    "--mount",
    `src=late,dst=/l,volume-driver=${plugin.name}`,
    "busybox",
    "sleep",
    "600",
  );
  const pid = Number(await docker("inspect", "-f", "{{.State.Pid}}", id));
  await daemon.kill9();
  process.kill(pid, "SIGKILL");
  await daemon.start();
  assert.deepEqual(plugin.mountsOf("late"), []);
  await docker("rm", id);
  await docker("volume", "rm", "late");
});

test("copy-up goes into a plugin's volume too, and a stopped container's is there for cp", async () => {
  await docker("create", "--name", "filled", "--volume-driver", plugin.name, "-v", "etc:/etc", "busybox");
  assert.match(await readFile(join(plugin.folder, "etc/passwd"), "utf8"), /^root:/);
  assert.deepEqual(plugin.mountsOf("etc"), []);
  await docker("cp", "filled:/etc/passwd", join(plugin.folder, "copied"));
  // Behind the answer.
  for (let tries = 0; tries < 100 && plugin.mountsOf("etc").length > 0; tries++) await sleep(50);
  assert.deepEqual(plugin.mountsOf("etc"), []);
  await docker("rm", "filled");
  await docker("volume", "rm", "etc");
});

test("a volume that the plugin had before stays when a container with it does not come", async () => {
  const other = await startDaemon();
  await said(other, "volume", "create", "-d", plugin.name, "elsewhere");
  await other[Symbol.asyncDispose]();
  await docker("create", "--name", "taken", "busybox");
  const create = ["create", "--name", "taken", "--volume-driver", plugin.name];
  await refused(daemon, "is already in use by container", ...create, "-v", "elsewhere:/e", "busybox");
  assert.deepEqual(called("Remove"), []);
  await refused(daemon, "is already in use by container", ...create, "-v", "/own", "-v", "local:/l", "busybox");
  assert.equal(called("Remove").length, 1, "the unnamed one goes");
  await docker("rm", "taken");
  await docker("volume", "rm", "elsewhere", "local");
});

test("a plugin that fails, lies or is away: its own words, no container is left, and force forgets", async () => {
  const create = ["run", "--rm", "--volume-driver", plugin.name, "-v", "bad:/b:nocopy", "busybox", "true"];
  plugin.answers.set("VolumeDriver.Mount", { Err: "the disk is on fire" });
  await refused(daemon, "VolumeDriver.Mount: the disk is on fire", ...create);
  plugin.answers.set("VolumeDriver.Mount", { Mountpoint: "relative" });
  await refused(daemon, 'mounted bad nowhere: "relative"', ...create);
  plugin.answers.clear();
  assert.equal(await docker("ps", "-aq"), "");
  plugin.answers.set("VolumeDriver.Remove", { Err: "not now" });
  await refused(daemon, "VolumeDriver.Remove: not now", "volume", "rm", "bad");
  await docker("volume", "rm", "-f", "bad");
  plugin.answers.clear();
  assert.equal(await docker("volume", "ls", "-q"), "bad", "the plugin still has it");
  await plugin.hangUp();
  await refused(daemon, `plugin "${plugin.name}" not found`, ...create);
  const { stdout, stderr } = await daemon.slipway("volume", "ls", "-q");
  assert.equal(stdout, "");
  assert.match(stderr, /WARNING: .*not found/);
  await plugin.listen();
  await docker("volume", "rm", "bad");
  await refused(daemon, 'plugin "../escape" not found', "volume", "create", "-d", "../escape", "xx");
});
