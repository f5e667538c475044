import assert from "node:assert/strict";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { slipwayProgram, startDaemon, type TestDaemon } from "#fixtures/daemon";
import { shows, startOnTerminal, startProgram } from "#fixtures/live-program";
import { freePort } from "#fixtures/registry";
import { type Outcome, runProgram } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;

before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-cli-"));
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function slipway(...args: readonly string[]): Promise<Outcome> {
  return await daemon.slipwayWith({ env: { DOCKER_CONFIG: folder } }, ...args);
}

/** What a command that must succeed prints. */
async function output(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await slipway(...args);
  assert.equal(code, 0, `slipway ${args.join(" ")}: ${stderr}`);
  return stdout.trimEnd();
}

function start(command: string, args: readonly string[]): ChildProcessWithoutNullStreams {
  return startProgram(command, args, { SLIPWAY_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: folder });
}

/** A shell script run on a terminal of its own; `$SLIPWAY` in it is our program. */
function onTerminal(script: string): ChildProcessWithoutNullStreams {
  const env = { SLIPWAY_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: folder };
  return startOnTerminal(`SLIPWAY="${slipwayProgram.join(" ")}"; ${script}`, env);
}

test("slipway run: the same ends and codes as with the docker CLI", async () => {
  const cases: [number, RegExp | string, string[]][] = [
    [0, "", ["busybox", "true"]],
    [3, "", ["busybox", "sh", "-c", "exit 3"]],
    [137, /Killed/, ["busybox", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"]],
    [125, /network nowhere not found/, ["--network", "nowhere", "busybox"]],
    [125, /unknown flag: --nope/, ["--nope", "busybox"]],
    [125, /Minimum memory limit allowed is 6MB/, ["-m", "5m", "busybox"]],
    [126, /permission denied/, ["busybox", "/etc/passwd"]],
    [127, /executable file not found in \$PATH/, ["busybox", "nothing-here"]],
  ];
  for (const [code, words, args] of cases) {
    const ours = await slipway("run", "--rm", ...args);
    const dockers = await daemon.docker("run", "--rm", ...args);
    assert.equal(ours.code, code, ours.stderr);
    assert.equal(dockers.code, code, dockers.stderr);
    if (words === "") assert.equal(ours.stderr, "");
    else assert.match(ours.stderr, words as RegExp);
  }
  assert.equal(await output("ps", "-aq"), "", "nothing is left");
});

test("slipway run: signals go to the container; --sig-proxy=false keeps them", async () => {
  const script = "trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
  const [node = "", ...program] = slipwayProgram;
  const run = start(node, [...program, "run", "--name", "signalled", "busybox", "sh", "-c", script]);
  await shows(run, /ready/);
  const rest = shows(run, /got it/);
  run.kill("SIGTERM");
  const [code] = await once(run, "exit");
  await rest;
  assert.equal(code, 7);
  assert.equal(await output("inspect", "-f", "{{.State.ExitCode}}", "signalled"), "7");
  await output("rm", "signalled");

  const kept = start(node, [...program, "run", "--sig-proxy=false", "--name", "kept", "busybox", "sh", "-c", script]);
  await shows(kept, /ready/);
  kept.kill("SIGTERM");
  await once(kept, "exit");
  assert.equal(await output("inspect", "-f", "{{.State.Status}}", "kept"), "running");
  await output("rm", "-f", "kept");
});

test("slipway run -it: keys go in, detach keys leave it running, attach comes back, the terminal is as before", async () => {
  const terminal = onTerminal(
    `before=$(stty -g); $SLIPWAY run -it --name term --detach-keys ctrl-a,d busybox sh; echo "code $?"; [ "$(stty -g)" = "$before" ] && echo restored`,
  );
  const prompt = shows(terminal, /# /);
  await prompt;
  terminal.stdin.write("stty -a | head -n 1; echo $((6 * 7))\n");
  assert.match(await shows(terminal, /42\r/), /42/);
  const end = shows(terminal, /restored/);
  terminal.stdin.write("\x01d");
  assert.match(await end, /code 0[^]*restored/);
  assert.equal(await output("inspect", "-f", "{{.State.Running}}", "term"), "true");

  const again = onTerminal(`$SLIPWAY attach term; echo "code $?"`);
  await sleep(600);
  const rest = shows(again, /code 5/);
  again.stdin.write("exit 5\n");
  await rest;
  await output("rm", "term");

  const failing = onTerminal(
    `before=$(stty -g); $SLIPWAY run --rm -it busybox nothing-here; echo "code $?"; [ "$(stty -g)" = "$before" ] && echo restored`,
  );
  assert.match(await shows(failing, /restored/), /executable file not found[^]*code 127[^]*restored/);
});

test("slipway exec -it: a terminal inside a running container, with its exit code", async () => {
  await output("run", "-d", "--name", "inside", "busybox", "sleep", "60");
  const terminal = onTerminal(`$SLIPWAY exec -it -e X=up inside sh -c 'test -t 0 && echo $X; exit 6'; echo "code $?"`);
  assert.match(await shows(terminal, /code \d+/), /up\r+\n[^]*code 6/);
  await output("rm", "-f", "inside");
});

test("slipway run hello: greets, and serves a page", async () => {
  const greeting = await output("run", "--rm", "hello");
  assert.match(greeting, /Hello from Slipway!/);
  assert.match(greeting, /pid 1, user 0/);
  assert.match(greeting, /filtered \(seccomp\)/);
  const port = await freePort();
  await output("run", "-d", "--name", "page", "-p", `127.0.0.1:${port}:80`, "hello", "web");
  let text = "";
  for (let tries = 0; text === "" && tries < 40; tries++) {
    text = await fetch(`http://127.0.0.1:${port}/`).then(
      async (answer) => await answer.text(),
      () => "",
    );
    if (text === "") await sleep(50);
  }
  assert.match(text, /<h1>Hello from Slipway<\/h1>/);
  await output("stop", "page");
  await output("rm", "page");
});

test("slipway ps, images, inspect, info, version, events: json and templates", async () => {
  await output("run", "-d", "--name", "shown", "-l", "k=v", "busybox", "sleep", "60");
  const row = JSON.parse(await output("ps", "--format", "json"));
  assert.deepEqual([row.Names, row.Image, row.State, row.Labels], ["shown", "busybox", "running", "k=v"]);
  const [image] = (await output("images", "--format", "json")).split("\n").map((line) => JSON.parse(line));
  assert.match(image.ID, /^[0-9a-f]{12}$/);
  const [seen] = JSON.parse(await output("inspect", "shown"));
  assert.equal(seen.Name, "/shown");
  const text = "{{.Name}} {{range $key, $value := .Config.Labels}}{{$key}}={{$value}}{{end}} {{json .Config.Cmd}}";
  assert.equal(await output("inspect", "-f", text, "shown"), '/shown k=v ["sleep","60"]');
  for (const command of ["info", "version"]) JSON.parse(await output(command, "--format", "json"));
  await output("rm", "-f", "shown");
  const until = new Date(Date.now() + 300).toISOString();
  const range = ["--since", "1m", "--until", until, "-f", "container=shown"];
  const actions = (await output("events", ...range, "--format", "{{.Action}}")).split("\n");
  assert.deepEqual([actions[0], actions.at(-1)], ["create", "destroy"]);
  const unknown = await slipway("inspect", "nothing-here");
  assert.deepEqual([unknown.code, unknown.stdout.trim()], [1, "[]"]);
});

test("slipway: an engine that is not there, a bad address, an unknown command", async () => {
  const gone = await runProgram(slipwayProgram[0] ?? "", [
    ...slipwayProgram.slice(1),
    "-H",
    `unix://${folder}/none`,
    "ps",
  ]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /^Cannot connect to the Slipway daemon at unix:.*Is the slipway daemon running\?/);
  const bad = await slipway("-H", "ftp://x", "ps");
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /unable to parse docker host/);
  const unknown = await slipway("frobnicate");
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /unknown command: slipway frobnicate/);
});

test("slipway doctor: all is well where the tests run", async () => {
  const well = await slipway("doctor");
  assert.equal(well.code, 0, well.stdout);
  assert.match(well.stdout, /^ok +kernel /m);
  assert.match(well.stdout, /All is well\.\n$/);
});

test("slipway completion: what it prints is a script that its shell reads", async () => {
  const script = await output("completion", "bash");
  const path = join(folder, "completion.bash");
  await writeFile(path, script);
  assert.deepEqual(await runProgram("bash", ["-n", path]), { code: 0, stdout: "", stderr: "" });
  for (const shell of ["zsh", "fish"]) assert.match(await output("completion", shell), /slipway/);
  assert.notEqual((await slipway("completion", "tcsh")).code, 0);
});

test(
  "slipway: starts a daemon when none answers on the default socket, and only then",
  { timeout: 60_000 },
  async () => {
    // Its own /run, /var/lib, processes and network: the default daemon of the machine, if there is one, is not touched.
    const program = slipwayProgram.join(" ");
    const inside = [
      "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && ip link set lo up",
      `${program} --no-autostart ps; echo "without: $?"`,
      `${program} run --rm hello`,
      `${program} version --format 'server {{.Server.Version}}'`,
      "pid=$(cat /run/slipway/slipway.pid 2>/dev/null || pgrep -f 'slipway[^ ]* daemon' | head -n 1)",
      "kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done",
    ].join("\n");
    const namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const unset = ["-u", "SLIPWAY_HOST", "-u", "DOCKER_HOST", "-u", "SLIPWAY_TEST_PROGRAM"];
    const { code, stdout, stderr } = await runProgram("env", [...unset, "unshare", ...namespaces, "sh", "-c", inside]);
    assert.equal(code, 0, stderr + stdout);
    assert.match(stdout, /^without: 1\n/);
    assert.match(stderr, /Cannot connect to the Slipway daemon at unix:\/\/\/run\/slipway\/slipway\.sock/);
    assert.match(stdout, /Hello from Slipway!/);
    assert.match(stdout, /server \d+\.\d+\.\d+\n$/);
    assert.equal(stderr.match(/no daemon answers: starting one/g)?.length, 1, stderr);
  },
);

test("slipway run --use-api-socket: the engine's socket and the user's logins, for root alone", async () => {
  const config = await mkdtemp(join(tmpdir(), "slipway-logins-"));
  try {
    const auth = Buffer.from("me:secret").toString("base64");
    await writeFile(join(config, "config.json"), JSON.stringify({ auths: { "registry.example": { auth } } }));
    const look =
      'test -S /var/run/docker.sock && stat -c "%a %u" "$DOCKER_CONFIG/config.json" && cat "$DOCKER_CONFIG/config.json"';
    const args = ["run", "--rm", "--use-api-socket", "busybox", "sh", "-c", look];
    const { code, stdout, stderr } = await daemon.slipwayWith({ env: { DOCKER_CONFIG: config } }, ...args);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, `600 0\n{"auths":{"registry.example":{"auth":"${auth}"}}}`);
    const own = [
      "run",
      "--rm",
      "-e",
      "DOCKER_CONFIG=/mine",
      "--use-api-socket",
      "busybox",
      "test",
      "!",
      "-e",
      "/run/secrets",
    ];
    const without = await daemon.slipwayWith({ env: { DOCKER_CONFIG: config } }, ...own);
    assert.deepEqual([without.code, without.stdout], [0, ""]);
  } finally {
    await rm(config, { recursive: true });
  }
});
