import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";
import { settle, takeInventory } from "../fixtures/inventory.ts";

/** Whatever names this daemon: its folders, cgroups and table, its bridge and links. */
function tracesOf({ instance, roots }: TestDaemon): RegExp {
  const digits = instance.slice("slipway-".length);
  return new RegExp(`${instance}|${roots.execRoot}|${roots.dataRoot}|slw-?${digits}`);
}

async function docker(daemon: TestDaemon, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.docker(...args);
  assert.equal(code, 0, `docker ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

test("kill -9 of the daemon: containers go on, no output is lost, every end is known", async () => {
  await using daemon = await startDaemon({ busybox: true });
  const counting = "i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); sleep 0.05; done; exit 6";
  await docker(daemon, "run", "-d", "--name", "counter", "-p", "127.0.0.1::80", "busybox", "sh", "-c", counting);
  await docker(daemon, "run", "-d", "--name", "short", "busybox", "sh", "-c", "sleep 0.5; exit 3");
  await docker(
    daemon,
    "run",
    "-d",
    "--name",
    "stays",
    "busybox",
    "sh",
    "-c",
    "trap 'exit 5' TERM; while :; do sleep 0.1; done",
  );
  await docker(daemon, "run", "-d", "--rm", "--name", "rm-while-down", "busybox", "sleep", "0.5");
  await docker(daemon, "create", "--name", "never-started", "busybox", "true");
  const pid = await docker(daemon, "inspect", "-f", "{{.State.Pid}}", "stays");
  await daemon.kill9();
  await sleep(1000);
  await daemon.start();
  assert.equal(await docker(daemon, "inspect", "-f", "{{.State.Status}} {{.State.Pid}}", "stays"), `running ${pid}`);
  assert.equal(await docker(daemon, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "short"), "exited 3");
  assert.equal(await docker(daemon, "inspect", "-f", "{{.State.Status}}", "never-started"), "created");
  assert.match((await daemon.docker("inspect", "--type", "container", "rm-while-down")).stderr, /No such container/);
  assert.equal(await docker(daemon, "wait", "counter"), "6");
  const lines = (await docker(daemon, "logs", "counter")).split("\n");
  assert.deepEqual(
    lines,
    Array.from({ length: 60 }, (_unused, index) => String(index)),
  );
  assert.equal(await docker(daemon, "exec", "stays", "echo", "still here"), "still here");
  await docker(daemon, "stop", "stays");
  assert.equal(await docker(daemon, "inspect", "-f", "{{.State.ExitCode}}", "stays"), "5");
  await docker(daemon, "rm", "counter", "short", "stays", "never-started");
  assert.equal(await docker(daemon, "ps", "-aq"), "");
});

test("SIGTERM: containers run on; the next daemon takes them up; --stop-containers-on-exit stops them", async () => {
  await using daemon = await startDaemon({ busybox: true });
  await docker(daemon, "run", "-d", "--name", "on", "busybox", "sleep", "100");
  assert.equal(await daemon.stop(), 0);
  await daemon.start();
  assert.equal(await docker(daemon, "inspect", "-f", "{{.State.Status}}", "on"), "running");
  await docker(daemon, "rm", "-f", "on");
  await daemon.stop();

  await using other = await startDaemon({ busybox: true, args: ["--stop-containers-on-exit"] });
  await docker(other, "run", "-d", "--name", "off", "--stop-timeout", "1", "busybox", "sleep", "100");
  await other.stop();
  await other.start();
  assert.equal(await docker(other, "inspect", "-f", "{{.State.Status}}", "off"), "exited");
  await docker(other, "rm", "off");
});

test("kill -9 in the middle of starts, stops and removals: the next daemon knows all, and nothing is left over", async () => {
  const before = await takeInventory();
  await using daemon = await startDaemon({ busybox: true });
  for (let round = 0; round < 6; round++) {
    const storm = Promise.allSettled(
      Array.from({ length: 4 }, async (_unused, index) => await oneLife(daemon, `s${round}-${index}`)),
    );
    await sleep(40 + round * 45);
    await daemon.kill9();
    await storm;
    await daemon.start();
  }
  const states = (await docker(daemon, "ps", "-a", "--format", "{{.State}}"))
    .split("\n")
    .filter((state) => state !== "");
  for (const state of states) assert.match(state, /^(?:created|running|exited)$/);
  const { body } = await daemon.api("GET", "/containers/json?all=1");
  for (const { Id } of body as { Id: string }[]) {
    const removal = await daemon.api("DELETE", `/containers/${Id}?force=1`);
    assert.equal(removal.status, 204, removal.text);
  }
  assert.equal(await docker(daemon, "run", "--rm", "busybox", "echo", "works"), "works");
  await daemon.stop();
  await daemon[Symbol.asyncDispose]();
  assert.deepEqual(await settle(before, tracesOf(daemon)), []);
});

/** Create, start, exec, remove by the API; any of them may fail when the daemon is killed. */
async function oneLife(daemon: TestDaemon, name: string): Promise<void> {
  const created = await daemon.api("POST", `/containers/create?name=${name}`, {
    Image: "busybox",
    Cmd: ["sleep", "30"],
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] } },
  });
  assert.equal(created.status, 201, created.text);
  await daemon.api("POST", `/containers/${name}/start`);
  await daemon.api("DELETE", `/containers/${name}?force=1`);
}

test("a stopped daemon without containers leaves no bridge, table, cgroup, mount or process", async () => {
  const before = await takeInventory();
  await using daemon = await startDaemon({ busybox: true });
  await docker(daemon, "run", "--rm", "-p", "127.0.0.1::80", "-m", "32m", "busybox", "true");
  const failing = await daemon.docker("run", "--rm", "-p", "127.0.0.1::80", "busybox", "not-there");
  assert.equal(failing.code, 127);
  assert.equal(await daemon.stop(), 0, await daemon.log());
  const left = await settle(before, tracesOf(daemon), 2000);
  assert.deepEqual(
    left.filter((line) => !line.startsWith("folder ")),
    [],
    await daemon.log(),
  );
});

test("several daemons side by side: none sees or touches the other's", async () => {
  await using one = await startDaemon({ busybox: true });
  await using two = await startDaemon({ busybox: true });
  await docker(one, "run", "-d", "--name", "same", "busybox", "sleep", "100");
  await docker(two, "run", "-d", "--name", "same", "busybox", "sleep", "100");
  const subnet = async (daemon: TestDaemon): Promise<string> =>
    await docker(daemon, "network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Subnet}}");
  assert.notEqual(await subnet(one), await subnet(two));
  await docker(one, "rm", "-f", "same");
  assert.equal(await docker(two, "inspect", "-f", "{{.State.Status}}", "same"), "running");
  await docker(two, "rm", "-f", "same");
});

test("--pidfile: holds the daemon's pid while it runs, and is gone when it stopped", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-pidfile-"));
  const path = join(folder, "pid");
  await using daemon = await startDaemon({ args: ["--pidfile", path] });
  assert.equal(await readFile(path, "utf8"), String(daemon.pid));
  await daemon.stop();
  assert.equal(existsSync(path), false);
  await rm(folder, { recursive: true });
});

test("a second daemon on the same roots is refused and the first goes on", async () => {
  await using daemon = await startDaemon();
  const { dataRoot, execRoot } = daemon.roots;
  const second = await daemon.slipway(
    "daemon",
    "--data-root",
    dataRoot,
    "--exec-root",
    execRoot,
    "-H",
    `unix://${execRoot}/second.sock`,
  );
  assert.notEqual(second.code, 0);
  assert.match(second.stderr, /another slipway daemon already uses/);
  assert.equal((await daemon.api("GET", "/_ping")).status, 200);
});
