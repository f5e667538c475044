import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { slipwayProgram, startDaemon, type TestDaemon } from "#fixtures/daemon";
import type { Outcome } from "#fixtures/program";

let daemon: TestDaemon;
const folder = await mkdtemp(join(tmpdir(), "slipway-real-"));

before(async () => {
  daemon = await startDaemon({ busybox: true });
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function slipway(...args: string[]): Promise<Outcome> {
  return await daemon.slipwayWith({ env: { DOCKER_CONFIG: folder } }, ...args);
}

/** Output of a command that must end well. */
async function output(...args: string[]): Promise<string> {
  const outcome = await slipway(...args);
  assert.equal(outcome.code, 0, `${args.join(" ")}: ${outcome.stderr}`);
  return outcome.stdout;
}

test("slipway run: output, errors, input and exit code pass through", async () => {
  const outcome = await daemon.slipwayWith(
    { input: "typed" },
    "run",
    "-i",
    "--rm",
    "busybox",
    "sh",
    "-c",
    "cat; echo err >&2; exit 42",
  );
  assert.deepEqual(outcome, { code: 42, stdout: "typed", stderr: "err\n" });
  const missing = await slipway("run", "--rm", "busybox", "no-such-program");
  assert.equal(missing.code, 127);
  assert.match(missing.stderr, /^slipway: Error response from daemon: .*executable file not found in \$PATH/);
  const folderCommand = await slipway("run", "--rm", "busybox", "/etc");
  assert.equal(folderCommand.code, 126);
  const invalid = await slipway("run", "--rm", "--storage-opt", "size=much", "busybox", "true");
  assert.equal(invalid.code, 125);
  assert.match(invalid.stderr, /invalid size: 'much'/);
  assert.equal(await output("ps", "-aq"), "", "nothing is left over");
});

test("slipway: the life of a container", async () => {
  const id = (
    await output(
      "run",
      "-d",
      "--name",
      "life",
      "-l",
      "a=b",
      "-p",
      "127.0.0.1::80",
      "busybox",
      "sh",
      "-c",
      "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done",
    )
  ).trim();
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.equal(
    await output("ps", "--format", '{{.Names}} {{.Image}} {{.State}} {{.Label "a"}}'),
    "life busybox running b\n",
  );
  assert.match(
    await output("ps"),
    /^CONTAINER ID   IMAGE {5}COMMAND .*\n[0-9a-f]{12}   busybox   "sh -c 'trap 'exit 3…"   .* ago {3}Up .*127\.0\.0\.1:\d+->80\/tcp   life\n$/,
  );
  assert.match(await output("port", "life"), /^80\/tcp -> 127\.0\.0\.1:\d+\n$/);
  assert.match(await output("port", "life", "80"), /^127\.0\.0\.1:\d+\n$/);
  assert.equal(
    await output("inspect", "-f", "{{.State.Status}} {{.Config.Image}} {{if .State.Health}}h{{end}}", "life"),
    "running busybox \n",
  );
  assert.match(await output("top", "life"), /^UID +PID .*\n(.*\n)*.*sleep/);
  const exec = await daemon.slipwayWith(
    { input: "in" },
    "exec",
    "-i",
    "-e",
    "X=1",
    "-w",
    "/bin",
    "life",
    "sh",
    "-c",
    'cat; echo " $X $PWD"; exit 5',
  );
  assert.deepEqual(exec, { code: 5, stdout: "in 1 /bin\n", stderr: "" });
  assert.equal(await output("pause", "life"), "life\n");
  assert.equal(await output("ps", "-q", "-f", "status=paused"), `${id.slice(0, 12)}\n`);
  assert.equal(await output("unpause", "life"), "life\n");
  await output("rename", "life", "lived");
  const waiting = slipway("wait", "lived");
  assert.equal(await output("stop", "lived"), "lived\n");
  assert.deepEqual(await waiting, { code: 0, stdout: "3\n", stderr: "" });
  assert.equal(await output("logs", "lived"), "up\n");
  assert.equal(await output("start", "lived"), "lived\n");
  assert.equal(await output("kill", "-s", "KILL", "lived"), "lived\n");
  assert.equal(await output("rm", "-f", "lived"), "lived\n");
  assert.deepEqual(await slipway("rm", "lived"), {
    code: 1,
    stdout: "",
    stderr: "Error response from daemon: No such container: lived\n",
  });
  const events = await output(
    "events",
    "--since",
    "1m",
    "--until",
    "0s",
    "-f",
    "type=container",
    "-f",
    `container=${id}`,
    "--format",
    "{{.Action}}",
  );
  assert.match(events, /^create\n(attach\n)?start\n/);
  assert.match(events, /\ndestroy\n$/);
});

test("slipway logs -f: follows to the end; --tail and -t choose and stamp", async () => {
  await output("run", "-d", "--name", "talk", "busybox", "sh", "-c", "echo one; echo two; sleep 0.3; echo three");
  assert.equal(await output("logs", "-f", "talk"), "one\ntwo\nthree\n");
  assert.match(await output("logs", "-t", "--tail", "1", "talk"), /^\d{4}-\d\d-\d\dT[\d:.]+Z three\n$/);
  await output("rm", "talk");
});

test("slipway images: tag, history, save, load, import, rmi", async () => {
  await output("tag", "busybox", "other/name:1");
  assert.match(await output("images"), /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\n/);
  assert.match(await output("images", "--format", "{{.Repository}}:{{.Tag}}", "other/name"), /^other\/name:1\n$/);
  assert.match(await output("history", "busybox"), /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n[0-9a-f]{12} /);
  const file = join(folder, "image.tar");
  await output("save", "-o", file, "other/name:1");
  assert.match(await output("rmi", "other/name:1"), /^Untagged: other\/name:1\n/);
  assert.equal(await output("load", "-i", file), "Loaded image: other/name:1\n");
  assert.match(await output("import", "-c", "CMD true", file, "made:1"), /^sha256:[0-9a-f]{64}\n$/);
  assert.match(await output("rmi", "other/name:1", "made:1"), /Deleted: sha256:/);
  const gone = await slipway("rmi", "nowhere");
  assert.deepEqual([gone.code, gone.stderr], [1, "Error response from daemon: No such image: nowhere:latest\n"]);
});

test("slipway system: info, version, df, networks, prune", async () => {
  assert.match(await output("info"), /Server Version: /);
  assert.equal(await output("info", "-f", "{{.OSType}} {{.Swarm.LocalNodeState}}"), "linux inactive\n");
  assert.match(
    await output("version", "--format", "{{.Server.APIVersion}} {{.Client.ApiVersion}}"),
    /^1\.\d\d 1\.\d\d\n$/,
  );
  assert.match(await output("system", "df"), /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages +\d/);
  assert.match(
    await output("network", "ls"),
    /^NETWORK ID +NAME +DRIVER +SCOPE\n[0-9a-f]{12} +bridge +bridge +local\n/,
  );
  assert.match(await output("container", "prune", "-f"), /Total reclaimed space: /);
  const asked = await daemon.slipwayWith({ input: "n\n" }, "container", "prune");
  assert.equal(asked.code, 1);
});

test("slipway run -it: a terminal with our size, and keys that detach", async () => {
  const script = `stty rows 31 cols 97; ${slipwayProgram.join(" ")} run -it --name term busybox sh -c 'sleep 0.3; stty size; cat'; echo "code $?"`;
  const terminal = spawn("script", ["-qec", script, "/dev/null"], {
    env: { ...process.env, SLIPWAY_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: folder, SHELL: "/bin/sh" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let shown = "";
  terminal.stdout.on("data", (bytes: Buffer) => {
    const before = shown.includes("31 97");
    shown += bytes.toString();
    if (!before && shown.includes("31 97")) terminal.stdin.write("typed\n\x10\x11");
  });
  await once(terminal, "close");
  assert.match(shown, /31 97\r+\n(.*\n)*read escape sequence\r\ncode 0/);
  assert.equal(await output("inspect", "-f", "{{.State.Running}}", "term"), "true\n");
  await output("rm", "-f", "term");
});
