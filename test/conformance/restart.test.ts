import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
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

async function inspected(name: string, format: string): Promise<string> {
  return await docker("inspect", "-f", format, name);
}

async function until(name: string, format: string, wanted: RegExp): Promise<string> {
  const end = Date.now() + 20_000;
  for (;;) {
    const got = await inspected(name, format);
    if (wanted.test(got)) return got;
    assert.ok(Date.now() < end, `${name}: ${got} is not ${wanted}`);
    await sleep(20);
  }
}

test("docker run --restart: on-failure:2 restarts twice; the count, the code and the events are Docker's", async () => {
  await docker("run", "-d", "--name", "thrice", "--restart", "on-failure:2", "busybox", "sh", "-c", "exit 3");
  await until("thrice", "{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}", /^exited 2 3$/);
  assert.equal(
    await inspected("thrice", "{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}"),
    "on-failure:2",
  );
  const now = String(Date.now() / 1000);
  const events = await docker(
    "events",
    "--since",
    "0",
    "--until",
    now,
    "-f",
    "container=thrice",
    "--format",
    "{{.Action}}",
  );
  assert.deepEqual(events.split("\n"), ["create", "start", "die", "start", "die", "start", "die"]);
  await docker("rm", "thrice");
});

test("docker ps, inspect: a container between two runs; stop ends it and wait knows its code", async () => {
  await docker("run", "-d", "--name", "loop", "--restart", "always", "busybox", "sh", "-c", "exit 7");
  await until("loop", "{{.State.Status}} {{.RestartCount}}", /^restarting [4-9]/);
  const state = await until(
    "loop",
    "{{.State.Status}} {{.State.Running}} {{.State.Restarting}} {{.State.Pid}} {{.State.ExitCode}}",
    /^restarting/,
  );
  assert.equal(state, "restarting true true 0 7");
  assert.match(
    await docker("ps", "--filter", "status=restarting", "--format", "{{.Names}} {{.Status}}"),
    /^loop Restarting \(7\) .* ago$/,
  );
  assert.match(
    (await daemon.docker("rm", "loop")).stderr,
    /container is (restarting|running): stop the container before removing or force remove/,
  );
  const waiting = daemon.docker("wait", "loop");
  await docker("stop", "loop");
  assert.equal((await waiting).stdout.trim(), "7");
  assert.equal(
    await inspected("loop", "{{.State.Status}} {{.State.Running}} {{.State.Restarting}}"),
    "exited false false",
  );
  await docker("rm", "loop");
});

test("docker update --restart: stops the loop of a restarting container; gives a running one a policy", async () => {
  await docker("run", "-d", "--name", "updated", "--restart", "always", "busybox", "sh", "-c", "exit 1");
  await until("updated", "{{.State.Status}} {{.RestartCount}}", /^restarting [3-9]/);
  await docker("update", "--restart", "no", "updated");
  await until("updated", "{{.State.Status}}", /^exited$/);
  await sleep(1000);
  assert.equal(await inspected("updated", "{{.State.Status}}"), "exited");
  await docker(
    "run",
    "-d",
    "--name",
    "given",
    "busybox",
    "sh",
    "-c",
    "trap 'exit 4' HUP; while :; do sleep 0.05; done",
  );
  await docker("update", "--restart", "unless-stopped", "given");
  await docker("kill", "-s", "HUP", "given");
  await until("given", "{{.State.Status}} {{.RestartCount}}", /^running 1$/);
  await docker("rm", "-f", "updated", "given");
});

test("daemon restart and kill -9: always comes back, unless-stopped stays where a person put it, restarting goes on", async () => {
  const loop = ["busybox", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"];
  await docker("run", "-d", "--name", "always-up", "--restart", "always", ...loop);
  await docker("run", "-d", "--name", "unless-up", "--restart", "unless-stopped", ...loop);
  await docker(
    "run",
    "-d",
    "--name",
    "dies-meanwhile",
    "--restart",
    "unless-stopped",
    "busybox",
    "sh",
    "-c",
    "sleep 1; exit 2",
  );
  await docker("run", "-d", "--name", "plain", ...loop);
  await docker("run", "-d", "--name", "crashes", "--restart", "on-failure", "busybox", "sh", "-c", "exit 9");
  await docker("stop", "-t", "5", "always-up", "unless-up", "plain");
  await until("crashes", "{{.RestartCount}}", /^[3-9]$/);
  await daemon.kill9();
  await sleep(1200);
  await daemon.start();
  await until("always-up", "{{.State.Status}}", /^running$/);
  await until("crashes", "{{.RestartCount}}", /^([4-9]|\d\d)$/);
  await until("dies-meanwhile", "{{.State.Status}} {{.RestartCount}}", /^(running|restarting) [1-9]/);
  assert.equal(await inspected("unless-up", "{{.State.Status}}"), "exited");
  assert.equal(await inspected("plain", "{{.State.Status}}"), "exited");
  await docker("rm", "-f", "always-up", "unless-up", "dies-meanwhile", "plain", "crashes");
});

test("daemon --stop-containers-on-exit: no policy acts while it ends, the next daemon brings them back", async () => {
  await using own = await startDaemon({ busybox: true, args: ["--stop-containers-on-exit"] });
  const run = async (...args: readonly string[]): Promise<string> => (await own.docker(...args)).stdout.trim();
  const loop = ["busybox", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"];
  await run("run", "-d", "--name", "comes-back", "--restart", "unless-stopped", ...loop);
  await run("run", "-d", "--name", "stays-down", ...loop);
  assert.equal(await own.stop(), 0);
  await own.start();
  const end = Date.now() + 20_000;
  while ((await run("inspect", "-f", "{{.State.Status}}", "comes-back")) !== "running") {
    assert.ok(Date.now() < end);
    await sleep(50);
  }
  assert.equal(await run("inspect", "-f", "{{.State.Status}}", "stays-down"), "exited");
});

test("docker create --rm --restart: refused", async () => {
  assert.match(
    (await daemon.docker("run", "--rm", "--restart", "always", "busybox", "true")).stderr,
    /cannot specify both --restart and --rm/,
  );
  const body = { Image: "busybox", HostConfig: { AutoRemove: true, RestartPolicy: { Name: "always" } } };
  const answer = await daemon.api("POST", "/containers/create", body);
  assert.deepEqual(
    [answer.status, answer.body],
    [400, { message: "can't create 'AutoRemove' container with restart policy" }],
  );
});

test("slipway stop: says at once that PID 1 ignores the signal, and how to mend it; docker's own stop works as ever", async () => {
  await docker("run", "-d", "--name", "deaf", "busybox", "sleep", "1000");
  await docker("run", "-d", "--name", "with-init", "--init", "busybox", "sleep", "1000");
  await docker(
    "run",
    "-d",
    "--name",
    "handles",
    "busybox",
    "sh",
    "-c",
    "trap 'exit 0' TERM; while :; do sleep 0.05; done",
  );
  assert.equal(await inspected("deaf", "{{json .State}}").then((text) => text.includes("IgnoresStopSignal")), false); // the CLI knows its own fields
  const answer = await daemon.api("GET", "/containers/deaf/json");
  assert.equal(answer.body.State.IgnoresStopSignal, true);
  for (const name of ["with-init", "handles"]) {
    const end = Date.now() + 10_000;
    while ((await daemon.api("GET", `/containers/${name}/json`)).body.State.IgnoresStopSignal !== undefined) {
      assert.ok(Date.now() < end, `${name} has no handler`);
      await sleep(20);
    }
  }
  const slow = await daemon.slipway("stop", "-t", "1", "deaf");
  assert.deepEqual([slow.code, slow.stdout], [0, "deaf\n"]);
  assert.match(slow.stderr, /^deaf does not react to SIGTERM: .*killed in 1 s\.\n.*--init.*exec form.*STOPSIGNAL/s);
  const quick = await daemon.slipway("stop", "with-init", "handles");
  assert.deepEqual([quick.code, quick.stderr], [0, ""]);
  assert.match(
    await daemon.log(),
    /level=warn msg="a container does not react to the signal that should stop it" container=deaf/,
  );
  const now = String(Date.now() / 1000);
  const events = await docker(
    "events",
    "--since",
    "0",
    "--until",
    now,
    "-f",
    "container=deaf",
    "-f",
    "event=kill",
    "-f",
    "event=stop",
    "--format",
    "{{.Action}} {{.Actor.Attributes.signal}} {{.Actor.Attributes.ignored}}",
  );
  assert.deepEqual(events.split("\n"), ["kill 15 true", "kill 9 <no value>", "stop <no value> true"]);
  await docker("start", "deaf");
  const restarted = await daemon.slipway("restart", "-t", "1", "deaf");
  assert.match(restarted.stderr, /does not react to SIGTERM/);
  await docker("stop", "-t", "1", "deaf");
  await docker("rm", "-f", "deaf", "with-init", "handles");
});
