import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon({ busybox: true });
});
after(async () => await daemon[Symbol.asyncDispose]());

/** Standard output of a docker command that must succeed. */
async function docker(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.docker(...args);
  assert.equal(code, 0, `docker ${args.join(" ")}: ${stderr}`);
  return stdout.trimEnd();
}

async function fails(...args: readonly string[]): Promise<string> {
  const { code, stderr } = await daemon.docker(...args);
  assert.notEqual(code, 0, `docker ${args.join(" ")} should fail`);
  return stderr;
}

const sleeper = ["busybox", "sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done"] as const;

async function statusOf(name: string): Promise<string> {
  return await docker("inspect", "-f", "{{.State.Status}}", name);
}

test("create, start, stop, restart, kill, rm: the states are Docker's", async () => {
  await docker("create", "--name", "states", ...sleeper);
  assert.equal(await statusOf("states"), "created");
  await docker("start", "states");
  assert.equal(await statusOf("states"), "running");
  await docker("start", "states");
  await docker("stop", "states");
  assert.equal(await docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "states"), "exited 5");
  await docker("stop", "states");
  await docker("restart", "-t", "2", "states");
  assert.equal(await statusOf("states"), "running");
  await docker("kill", "states");
  assert.equal(await docker("wait", "states"), "137");
  assert.match(await fails("kill", "states"), /is not running/);
  await docker("rm", "states");
  assert.match(await fails("inspect", "--type", "container", "states"), /No such container: states/);
});

test("stop --timeout: kills what ignores the signal; --signal asks otherwise", async () => {
  await docker(
    "run",
    "-d",
    "--name",
    "deaf",
    "busybox",
    "sh",
    "-c",
    "trap '' TERM; trap 'exit 9' INT; while :; do sleep 0.1; done",
  );
  await sleep(200);
  await docker("stop", "-t", "1", "deaf");
  assert.equal(await docker("inspect", "-f", "{{.State.ExitCode}}", "deaf"), "137");
  await docker("start", "deaf");
  await sleep(200);
  await docker("stop", "-s", "INT", "deaf");
  assert.equal(await docker("inspect", "-f", "{{.State.ExitCode}}", "deaf"), "9");
  await docker("rm", "deaf");
});

test("pause, unpause: the container stands still and goes on", async () => {
  await docker("run", "-d", "--name", "still", "busybox", "sh", "-c", "while :; do echo tick; sleep 0.05; done");
  await docker("pause", "still");
  assert.equal(await statusOf("still"), "paused");
  const before = (await docker("logs", "still")).length;
  await sleep(300);
  assert.equal((await docker("logs", "still")).length, before);
  assert.match(await fails("exec", "still", "true"), /is paused, unpause the container before exec/);
  await docker("unpause", "still");
  await sleep(300);
  assert.ok((await docker("logs", "still")).length > before);
  await docker("rm", "-f", "still");
});

test("rename: by the new name, not by the old one", async () => {
  await docker("create", "--name", "before", "busybox");
  await docker("rename", "before", "after");
  assert.equal(await docker("inspect", "-f", "{{.Name}}", "after"), "/after");
  assert.match(await fails("rm", "before"), /No such container: before/);
  await docker("create", "--name", "other", "busybox");
  assert.match(
    await fails("rename", "other", "after"),
    /Error when allocating new name: Conflict\. The container name "\/after" is already in use by container "[0-9a-f]{64}"/,
  );
  assert.match(await fails("rename", "other", "b@d"), /Error when allocating new name: Invalid container name \(b@d\)/);
  assert.match(await fails("rename", "other", "other"), /Renaming a container with the same name as its current name/);
  await docker("rm", "other");
  await docker("rm", "after");
});

test("rm: refuses a running one in Docker's words, -f ends it", async () => {
  await docker("run", "-d", "--name", "busy", "busybox", "sleep", "60");
  assert.match(await fails("rm", "busy"), /cannot remove container "\/?busy": container is running/);
  await docker("rm", "-f", "busy");
  await docker("rm", "-f", "never-was-there").catch(() => undefined);
});

test("ps: filters OR within a key and AND across keys", async () => {
  await docker("create", "--name", "f-one", "-l", "tier=web", "-l", "x", "busybox");
  await docker("run", "-d", "--name", "f-two", "-l", "tier=db", "busybox", "sleep", "60");
  const names = async (...filters: readonly string[]): Promise<string> =>
    (await docker("ps", "-a", "--format", "{{.Names}}", ...filters.flatMap((filter) => ["-f", filter])))
      .split("\n")
      .toSorted()
      .join(" ")
      .trim();
  assert.equal(await names("name=f-one", "name=f-two"), "f-one f-two");
  assert.equal(await names("name=^/f-", "status=running"), "f-two");
  assert.equal(await names("label=tier=web"), "f-one");
  assert.equal(await names("label=tier", "label=x"), "f-one");
  assert.equal(await names("ancestor=busybox", "name=f-"), "f-one f-two");
  assert.equal(await names("exited=0", "name=f-"), "");
  assert.match(await fails("ps", "-f", "nonsense=1"), /invalid filter 'nonsense'/);
  await docker("rm", "-f", "f-one", "f-two");
});

test("logs: --tail, --since, -t, -f", async () => {
  await docker("run", "--name", "talker", "busybox", "sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done");
  assert.equal(await docker("logs", "--tail", "2", "talker"), "line 4\nline 5");
  assert.match(await docker("logs", "-t", "--tail", "1", "talker"), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line 5$/);
  assert.equal(
    await docker("logs", "--since", "2001-01-01T00:00:00Z", "--until", "2001-01-02T00:00:00Z", "talker"),
    "",
  );
  assert.equal((await docker("logs", "-f", "talker")).split("\n").length, 5);
  await docker("rm", "talker");
});

test("logs -f: follows until the container ends", async () => {
  await docker("run", "-d", "--name", "follow", "busybox", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done");
  assert.equal(await docker("logs", "-f", "follow"), "1\n2\n3");
  await docker("rm", "follow");
});

test("exec: output, exit code, environment, user, folder, input, detached", async () => {
  await docker("run", "-d", "--name", "host-of-exec", "-e", "BASE=b", "busybox", "sleep", "60");
  assert.equal(
    await docker(
      "exec",
      "-e",
      "X=1",
      "-w",
      "/tmp",
      "-u",
      "1000",
      "host-of-exec",
      "sh",
      "-c",
      "echo $BASE$X; pwd; id -u",
    ),
    "b1\n/tmp\n1000",
  );
  assert.equal((await daemon.docker("exec", "host-of-exec", "sh", "-c", "exit 4")).code, 4);
  assert.equal((await daemon.docker("exec", "host-of-exec", "nothing-here")).code, 127);
  assert.equal((await daemon.dockerWith({ input: "in\n" }, "exec", "-i", "host-of-exec", "cat")).stdout, "in\n");
  assert.equal(
    await docker("exec", "-t", "host-of-exec", "sh", "-c", "test -t 1 && echo terminal"),
    "terminal\r".trimEnd(),
  );
  await docker("exec", "-d", "host-of-exec", "touch", "/detached");
  await sleep(300);
  assert.equal(await docker("exec", "host-of-exec", "ls", "/detached"), "/detached");
  await docker("rm", "-f", "host-of-exec");
  assert.match(await fails("exec", "host-of-exec", "true"), /No such container: host-of-exec/);
});

test("top: the processes, with ps arguments", async () => {
  await docker("run", "-d", "--name", "topped", "busybox", "sleep", "61");
  assert.match(await docker("top", "topped"), /UID\s+PID\s+PPID[\s\S]*sleep 61/);
  assert.match(await docker("top", "topped", "-o", "pid,comm"), /PID\s+COMMAND\n\d+\s+sleep/);
  await docker("rm", "-f", "topped");
});

test("attach: gets the output and the exit code", async () => {
  await docker("run", "-d", "--name", "attached", "busybox", "sh", "-c", "sleep 0.7; echo late; exit 6");
  const { code, stdout } = await daemon.docker("attach", "attached");
  assert.deepEqual({ code, stdout }, { code: 6, stdout: "late\n" });
  await docker("rm", "attached");
});

test("start -a -i: input and output of a created container, and its code", async () => {
  await docker("create", "-i", "--name", "later", "busybox", "sh", "-c", "read x; echo got $x; exit 2");
  const { code, stdout } = await daemon.dockerWith({ input: "this\n" }, "start", "-ai", "later");
  assert.deepEqual({ code, stdout }, { code: 2, stdout: "got this\n" });
  await docker("rm", "later");
});

test("events: what happened, with its attributes, in order", async () => {
  const since = new Date(Date.now() - 1).toISOString();
  await docker("run", "--name", "eventful", "-l", "mark=1", "busybox", "true");
  await docker("rm", "eventful");
  const lines = (
    await docker(
      "events",
      "--since",
      since,
      "--until",
      new Date(Date.now() + 500).toISOString(),
      "--filter",
      "type=container",
      "--format",
      '{{.Action}} {{index .Actor.Attributes "mark"}}',
    )
  ).split("\n");
  const actions = lines.filter((line) => line.endsWith(" 1")).map((line) => line.split(" ")[0]);
  assert.deepEqual(actions, ["create", "attach", "start", "die", "destroy"]);
});

test("container prune: removes those that do not run, and says which", async () => {
  await docker("create", "--name", "prunable", "busybox");
  await docker("run", "-d", "--name", "kept", "busybox", "sleep", "60");
  assert.match(await docker("container", "prune", "-f"), /Deleted Containers:\n[0-9a-f]{64}/);
  assert.equal(await docker("ps", "-a", "--format", "{{.Names}}"), "kept");
  await docker("rm", "-f", "kept");
});

test("inspect: what clients read is there", async () => {
  await docker("run", "-d", "--name", "seen", "-p", "127.0.0.1::80", "--hostname", "h", "busybox", "sleep", "60");
  const [seen] = JSON.parse(await docker("inspect", "seen"));
  assert.equal(seen.Config.Hostname, "h");
  assert.deepEqual(seen.Config.Cmd, ["sleep", "60"]);
  assert.equal(seen.State.Running, true);
  assert.match(seen.NetworkSettings.Networks.bridge.IPAddress, /^\d+\.\d+\.\d+\.\d+$/);
  assert.equal(seen.NetworkSettings.Ports["80/tcp"][0].HostIp, "127.0.0.1");
  assert.match(await docker("port", "seen"), /^80\/tcp -> 127\.0\.0\.1:\d+$/);
  await docker("rm", "-f", "seen");
});
