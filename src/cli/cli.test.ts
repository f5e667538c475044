import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { encodeFrame } from "#api/wire";
import {
  type FakeAnswer,
  type FakeEngine,
  type FakeHijack,
  type SeenRequest,
  startFakeEngine,
} from "#fixtures/fake-engine";
import { type Outcome, runProgram } from "#fixtures/program";

const program = join(import.meta.dirname, "../../bin/slipway.ts");
const folder = await mkdtemp(join(tmpdir(), "slipway-cli-"));
after(() => rm(folder, { recursive: true, force: true }));

const id = "c".repeat(64);
const missing = { status: 404, json: { message: "No such image: x:latest" } };

async function slipway(engine: FakeEngine | undefined, args: readonly string[], input = ""): Promise<Outcome> {
  const env = { SLIPWAY_HOST: engine?.host ?? "unix:///nowhere/s", DOCKER_CONFIG: folder };
  return await runProgram(process.execPath, [program, ...args], { env, input });
}

/** An engine on which `run` works: says "out" and "err", ends with the code once the container was started. */
async function runnable(
  code: number,
  more: Readonly<Record<string, FakeAnswer | ((request: SeenRequest) => FakeAnswer)>> = {},
  converse: FakeHijack = (socket) => {
    socket.write(encodeFrame("stdout", Buffer.from("out\n")));
    socket.end(encodeFrame("stderr", Buffer.from("err\n")));
  },
): Promise<FakeEngine> {
  return await startFakeEngine(
    {
      "POST /containers/create": { status: 201, json: { Id: id, Warnings: [] } },
      [`POST /containers/${id}/start`]: { status: 204 },
      [`POST /containers/${id}/wait`]: { json: { StatusCode: code } },
      [`POST /containers/${id}/resize`]: { status: 200 },
      ...more,
    },
    { [`POST /containers/${id}/attach`]: converse },
  );
}

function order(engine: FakeEngine): string[] {
  return engine.seen.map(({ method, path }) => `${method} ${path.replace(id, "ID")}`);
}

test("slipway: usage mistakes have Docker's words and codes", async () => {
  const cases: [args: string[], code: number, words: string][] = [
    [
      ["rm"],
      1,
      "slipway: 'slipway rm' requires at least 1 argument\n\nUsage:  slipway rm [OPTIONS] CONTAINER [CONTAINER...]\n\nSee 'slipway rm --help' for more information\n",
    ],
    [
      ["tag", "a"],
      1,
      "slipway: 'slipway tag' requires 2 arguments\n\nUsage:  slipway tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]\n\nRun 'slipway tag --help' for more information\n",
    ],
    [
      ["ps", "a"],
      1,
      "slipway: 'slipway ps' accepts no arguments\n\nUsage:  slipway ps [OPTIONS]\n\nRun 'slipway ps --help' for more information\n",
    ],
    [
      ["run", "--zork", "a"],
      125,
      "unknown flag: --zork\n\nUsage:  slipway run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'slipway run --help' for more information\n",
    ],
    [["zork"], 1, "slipway: unknown command: slipway zork\n\nRun 'slipway --help' for more information\n"],
    [
      ["container", "zork"],
      1,
      "slipway: unknown command: slipway container zork\n\nUsage:  slipway container\n\nRun 'slipway container --help' for more information\n",
    ],
    [["help", "zork"], 1, "unknown help topic: zork\n"],
    [
      ["run", "--restart=always", "--rm", "x"],
      125,
      "slipway: conflicting options: cannot specify both --restart and --rm\n\nRun 'slipway run --help' for more information\n",
    ],
    [["run", "-d", "-a", "stdout", "x"], 1, "conflicting options: cannot specify both --attach and --detach\n"],
    [["ps"], 1, "Cannot connect to the Slipway daemon at unix:///nowhere/s. Is the slipway daemon running?\n"],
  ];
  await Promise.all(
    cases.map(async ([args, code, words]) => {
      assert.deepEqual(await slipway(undefined, args), { code, stdout: "", stderr: words }, args.join(" "));
    }),
  );
});

test("slipway: commands of Docker's that are still to come say so", async () => {
  for (const command of [
    ["search", "a"],
    ["plugin", "ls"],
  ]) {
    const words = `slipway: 'slipway ${command[0]}' is not supported yet\n`;
    assert.deepEqual(await slipway(undefined, command), { code: 1, stdout: "", stderr: words });
  }
});

test("slipway load, import, save: files that cannot be opened are told before the engine is asked", async () => {
  const refused = async (...args: string[]) => (await slipway(undefined, args)).stderr;
  assert.equal(await refused("load", "-i", "/nowhere"), "open /nowhere: no such file or directory\n");
  assert.equal(await refused("import", "/nowhere"), "open /nowhere: no such file or directory\n");
  const folderMissing = "failed to save image: invalid output path: stat /nowhere: no such file or directory\n";
  assert.equal(await refused("save", "-o", "/nowhere/x", "a"), folderMissing);
});

test("slipway: every command has a help that shows its usage", async () => {
  const { catalogue } = await import("./catalogue.ts");
  const { commandHelp } = await import("./usage.ts");
  for (const [name, entry] of Object.entries(catalogue)) {
    const help = commandHelp(await entry.load(), `slipway ${name}`, 100);
    assert.match(help, new RegExp(`^Usage:  slipway ${name}`), name);
    assert.ok(
      help.split("\n").every((line) => line.length <= 130),
      `${name}: a line is too wide`,
    );
  }
  const { code, stdout } = await slipway(undefined, ["run", "--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /-p, --publish list/);
});

test("slipway run: attach and wait come before start; streams and exit code arrive", async () => {
  await using engine = await runnable(7);
  assert.deepEqual(await slipway(engine, ["run", "x", "cmd", "-flag"]), { code: 7, stdout: "out\n", stderr: "err\n" });
  assert.deepEqual(order(engine), [
    "POST /containers/create",
    "POST /containers/ID/attach",
    "POST /containers/ID/wait",
    "POST /containers/ID/start",
  ]);
  const request = JSON.parse(engine.seen[0]?.body ?? "");
  assert.deepEqual(
    [request.Image, request.Cmd, request.Tty, request.AttachStdin],
    ["x", ["cmd", "-flag"], false, false],
  );
  assert.equal(engine.seen[2]?.query.get("condition"), "next-exit");
});

test("slipway run -i: the input arrives, and its end", async () => {
  const echo = async (socket: Socket, head: Buffer): Promise<void> => {
    const got = [head];
    socket.on("data", (bytes: Buffer) => got.push(bytes));
    await once(socket, "end");
    socket.end(encodeFrame("stdout", Buffer.concat(got)));
  };
  await using engine = await runnable(0, {}, (socket, head) => void echo(socket, head));
  const { code, stdout } = await slipway(engine, ["run", "-i", "--rm", "x"], "some\0bytes");
  assert.deepEqual([code, stdout], [0, "some\0bytes"]);
  assert.equal(engine.seen[2]?.query.get("condition"), "removed");
  const request = JSON.parse(engine.seen[0]?.body ?? "");
  assert.deepEqual([request.OpenStdin, request.StdinOnce, request.HostConfig.AutoRemove], [true, true, true]);
});

test("slipway run: what the start refuses becomes 125, 126, 127", async () => {
  const refusals: [string, number][] = [
    ['exec: "nope": executable file not found in $PATH', 127],
    ['exec: "/etc": permission denied', 126],
    ["port is already allocated", 125],
  ];
  for (const [message, code] of refusals) {
    await using engine = await runnable(0, { [`POST /containers/${id}/start`]: { status: 400, json: { message } } });
    const outcome = await slipway(engine, ["run", "x"]);
    assert.equal(outcome.code, code, message);
    assert.match(outcome.stderr, /^(err\n)?slipway: Error response from daemon: /);
  }
});

test("slipway run -d: prints the id; --cidfile holds it, and is not overwritten", async () => {
  await using engine = await runnable(0);
  const file = join(folder, "cid");
  const args = ["run", "-d", "--cidfile", file, "--name", "n", "x"];
  assert.deepEqual(await slipway(engine, args), { code: 0, stdout: `${id}\n`, stderr: "" });
  assert.equal(await readFile(file, "utf8"), id);
  assert.equal(engine.seen[0]?.query.get("name"), "n");
  const again = await slipway(engine, args);
  assert.equal(again.code, 125);
  assert.match(again.stderr, /container ID file found, make sure the other container isn't running or delete/);
});

test("slipway run: pulls a missing image with the user's credentials, and tries again", async () => {
  let pulled = false;
  await using engine = await runnable(0, {
    "POST /containers/create": () => (pulled ? { status: 201, json: { Id: id, Warnings: ["careful"] } } : missing),
    "POST /images/create": () => {
      pulled = true;
      return { text: '{"status":"Pulling from library/x","id":"latest"}\r\n{"status":"Status: done"}\r\n' };
    },
  });
  const auth = Buffer.from("user:pass:word").toString("base64");
  await writeFile(join(folder, "config.json"), JSON.stringify({ auths: { "https://index.docker.io/v1/": { auth } } }));
  const { code, stderr } = await slipway(engine, ["run", "--platform", "linux/amd64", "x"]);
  await rm(join(folder, "config.json"));
  assert.equal(code, 0);
  assert.equal(
    stderr,
    "Unable to find image 'x:latest' locally\nlatest: Pulling from library/x\nStatus: done\nWARNING: careful\nerr\n",
  );
  const pull = engine.seen.find(({ path }) => path === "/images/create");
  assert.equal(pull?.query.get("platform"), "linux/amd64");
  const sent = JSON.parse(Buffer.from(String(pull?.headers["x-registry-auth"]), "base64url").toString());
  assert.deepEqual([sent.username, sent.password], ["user", "pass:word"]);
});

test("slipway push: with the user's credentials; lines, -q, --all-tags, and a failure in the middle", async () => {
  let body = '{"status":"The push refers to repository [host:5000/a]"}\r\n';
  await using engine = await startFakeEngine({ "POST /images/host:5000/a/push": () => ({ text: body }) });
  const auth = Buffer.from("user:pass:word").toString("base64");
  await writeFile(join(folder, "config.json"), JSON.stringify({ auths: { "host:5000": { auth } } }));
  const plain = await slipway(engine, ["push", "host:5000/a"]);
  const said = "Using default tag: latest\nThe push refers to repository [host:5000/a]\n";
  assert.deepEqual(plain, { code: 0, stdout: said, stderr: "" });
  const quiet = await slipway(engine, ["image", "push", "-q", "--platform", "linux/arm64", "host:5000/a:1"]);
  assert.deepEqual(quiet, { code: 0, stdout: "host:5000/a:1\n", stderr: "" });
  await slipway(engine, ["push", "--all-tags", "--disable-content-trust=false", "host:5000/a"]);
  await rm(join(folder, "config.json"));
  const sent = engine.seen.filter(({ path }) => path.endsWith("/push"));
  assert.deepEqual(
    sent.map(({ query }) => query.get("tag")),
    ["latest", "1", null],
  );
  assert.equal(sent[1]?.query.get("platform"), '{"os":"linux","architecture":"arm64"}');
  const shown = JSON.parse(Buffer.from(String(sent[0]?.headers["x-registry-auth"]), "base64url").toString());
  assert.deepEqual([shown.username, shown.password], ["user", "pass:word"]);
  body += '{"errorDetail":{"message":"denied: not yours"},"error":"denied: not yours"}\r\n';
  const refused = await slipway(engine, ["push", "-q", "host:5000/a:1"]);
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /denied: not yours/);
  const both = await slipway(engine, ["push", "-a", "host:5000/a:1"]);
  assert.match(both.stderr, /tag can't be used with --all-tags\/-a/);
});

test("slipway run --pull never: a missing image stays missing", async () => {
  await using engine = await runnable(0, { "POST /containers/create": missing });
  const { code, stderr } = await slipway(engine, ["run", "--pull", "never", "x"]);
  assert.equal(code, 125);
  assert.match(stderr, /No such image: x:latest/);
  assert.deepEqual(order(engine), ["POST /containers/create"]);
});

test("slipway stop, rm, inspect: go on past a failure, and end with 1", async () => {
  const gone = { status: 404, json: { message: "No such container: b" } };
  await using engine = await startFakeEngine({
    "POST /containers/a/stop": { status: 204 },
    "POST /containers/b/stop": gone,
    "POST /containers/c/stop": { status: 304 },
    "DELETE /containers/b": gone,
    "GET /containers/a/json": { json: { Id: "1", State: { Status: "running" } } },
    "GET /containers/b/json": gone,
    "GET /images/b/json": gone,
    "GET /networks/b": gone,
  });
  const words = "Error response from daemon: No such container: b\n";
  assert.deepEqual(await slipway(engine, ["stop", "-t", "3", "a", "b", "c"]), {
    code: 1,
    stdout: "a\nc\n",
    stderr: words,
  });
  assert.equal(engine.seen.find(({ path }) => path === "/containers/a/stop")?.query.get("t"), "3");
  assert.deepEqual(await slipway(engine, ["rm", "b"]), { code: 1, stdout: "", stderr: words });
  assert.deepEqual(await slipway(engine, ["rm", "-f", "b"]), { code: 0, stdout: "", stderr: words });
  const found =
    '[\n    {\n        "Id": "1",\n        "State": {\n            "Status": "running"\n        }\n    }\n]\n';
  assert.deepEqual(await slipway(engine, ["inspect", "b", "a"]), {
    code: 1,
    stdout: found,
    stderr: "Error: No such object: b\n",
  });
  assert.equal((await slipway(engine, ["inspect", "-f", "{{.State.Status}}", "a"])).stdout, "running\n");
});

test("slipway run: signals go to the container", async () => {
  const kills: string[] = [];
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  await using engine = await runnable(
    143,
    {
      [`POST /containers/${id}/kill`]: ({ query }) => {
        kills.push(query.get("signal") ?? "");
        if (kills.length === 3) end();
        return { status: 204 };
      },
    },
    (socket) => {
      socket.write(encodeFrame("stdout", Buffer.from("ready\n")));
      void ended.then(() => socket.end());
    },
  );
  const child = start(engine, ["run", "x"]);
  const exit = once(child, "exit");
  await sees(child, "ready");
  for (const name of ["SIGHUP", "SIGUSR1", "SIGTERM"] as const) {
    child.kill(name);
    await waitUntil(() => kills.includes(name));
  }
  assert.deepEqual(await exit, [143, null]);
  assert.deepEqual(kills, ["SIGHUP", "SIGUSR1", "SIGTERM"]);
});

test("slipway run -it: raw terminal, its size, and the detach keys", async () => {
  const typed: Buffer[] = [];
  await using engine = await runnable(0, {}, (socket) => {
    socket.on("data", (bytes: Buffer) => typed.push(bytes));
    socket.write(encodeFrame("stdout", Buffer.from("ready\r\n")));
  });
  const script = `stty rows 33 cols 101; ${process.execPath} ${program} run -it x; echo "code $?"; stty -a | grep -o -- '-\\?icanon'`;
  const terminal = spawn("script", ["-qec", script, "/dev/null"], {
    env: { ...process.env, SLIPWAY_HOST: engine.host, DOCKER_CONFIG: folder, SHELL: "/bin/sh" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  await sees(terminal, "ready");
  terminal.stdin?.write("a\x03\x10b"); // Ctrl-C is a key like any other; Ctrl-P alone does not detach
  await waitUntil(() => Buffer.concat(typed).toString() === "a\x03\x10b");
  terminal.stdin?.write("\x10\x11");
  const shown = await text(terminal);
  assert.match(shown, /read escape sequence\s+code 0\s+icanon/);
  const resize = engine.seen.find(({ path }) => path.endsWith("/resize"));
  assert.deepEqual([resize?.query.get("h"), resize?.query.get("w")], ["33", "101"]);
  assert.deepEqual(JSON.parse(engine.seen[0]?.body ?? "").HostConfig.ConsoleSize, [33, 101]);
});

test("slipway run -it: SIGTERM without a proxy gives the terminal back", async () => {
  await using engine = await runnable(
    0,
    {},
    (socket) => void socket.write(encodeFrame("stdout", Buffer.from("ready\r\n"))),
  );
  const script = `${process.execPath} ${program} run -it --sig-proxy=false x; echo "code $?"; stty -a | grep -o -- '-\\?icanon'`;
  const terminal = spawn("script", ["-qec", script, "/dev/null"], {
    env: { ...process.env, SLIPWAY_HOST: engine.host, DOCKER_CONFIG: folder, SHELL: "/bin/sh" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  await sees(terminal, "ready");
  const shown = text(terminal);
  process.kill(await clientPid(terminal.pid ?? 0), "SIGTERM");
  assert.match(await shown, /code 143\s+icanon/);
});

test("slipway exec: exit code, input, and start failures", async () => {
  await using engine = await startFakeEngine(
    {
      "POST /containers/web/exec": { status: 201, json: { Id: "e1" } },
      "GET /exec/e1/json": { json: { ID: "e1", Running: false, ExitCode: 3 } },
    },
    { "POST /exec/e1/start": (socket) => void socket.end(encodeFrame("stdout", Buffer.from("hi\n"))) },
  );
  assert.deepEqual(await slipway(engine, ["exec", "-u", "1", "-w", "/srv", "-e", "A=b", "web", "ls", "-l"]), {
    code: 3,
    stdout: "hi\n",
    stderr: "",
  });
  const request = JSON.parse(engine.seen[0]?.body ?? "");
  assert.deepEqual([request.Cmd, request.User, request.WorkingDir, request.Env], [["ls", "-l"], "1", "/srv", ["A=b"]]);
  const noTerminal = await slipway(engine, ["exec", "-it", "web", "sh"]);
  assert.deepEqual([noTerminal.code, noTerminal.stderr], [1, "the input device is not a TTY\n"]);
});

test("slipway __complete: commands, flags, names from the engine, and silence without one", async () => {
  await using engine = await startFakeEngine({
    "GET /containers/json": { json: [{ Id: "1", Names: ["/web"], Image: "nginx", Status: "Up 2 minutes" }] },
    "GET /images/json": { json: [{ Id: `sha256:${"a".repeat(64)}`, RepoTags: ["nginx:latest"] }] },
  });
  assert.equal((await slipway(engine, ["__complete", "stop", "w"])).stdout, "web\tnginx, Up 2 minutes\n");
  assert.equal((await slipway(engine, ["__complete", "run", "-it", "ng"])).stdout, "nginx:latest\taaaaaaaaaaaa\n");
  assert.match((await slipway(engine, ["__complete", "run", "--entry"])).stdout, /^--entrypoint\t/);
  assert.match((await slipway(engine, ["__complete", "container", "l"])).stdout, /^ls\t.*\n(.*\n)*logs\t/);
  assert.equal((await slipway(undefined, ["__complete", "stop", ""])).stdout, "");
  for (const shell of ["bash", "zsh", "fish"]) {
    assert.match((await slipway(undefined, ["completion", shell])).stdout, /slipway __complete/);
  }
});

function start(engine: FakeEngine, args: readonly string[]): ChildProcess {
  const env = { ...process.env, SLIPWAY_HOST: engine.host, DOCKER_CONFIG: folder };
  return spawn(process.execPath, [program, ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
}

async function sees(child: ChildProcess, wanted: string): Promise<void> {
  let shown = "";
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (bytes: Buffer): void => {
    shown += bytes.toString();
    if (shown.includes(wanted)) resolve();
  };
  child.stdout?.on("data", look);
  await promise;
  child.stdout?.off("data", look);
}

async function text(child: ChildProcess): Promise<string> {
  let shown = "";
  child.stdout?.on("data", (bytes: Buffer) => (shown += bytes.toString()));
  await once(child, "close");
  return shown;
}

async function waitUntil(holds: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!holds()) {
    assert.ok(Date.now() < end, "waited ten seconds");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The client below `script`: the youngest descendant that runs our program. */
async function clientPid(ancestor: number): Promise<number> {
  const { stdout } = await runProgram("ps", ["-eo", "pid,ppid,args"]);
  const rows = stdout.split("\n").map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []);
  let found = 0;
  let parents = new Set([String(ancestor)]);
  while (parents.size > 0) {
    const children = rows.filter(([, , parent]) => parents.has(parent ?? ""));
    for (const [, pid, , args = ""] of children)
      if (args.startsWith(process.execPath) && args.includes("run -it")) found = Number(pid);
    parents = new Set(children.map(([, pid]) => pid ?? ""));
  }
  assert.ok(found > 0, "the client runs");
  return found;
}

test("slipway stop: an unhearing container is told of before the stop answers; not with -t 0 or a signal of one's own", async () => {
  const deaf = { Id: "1", Config: { StopSignal: "SIGQUIT", StopTimeout: 7 }, State: { IgnoresStopSignal: true } };
  await using engine = await startFakeEngine({
    "GET /containers/a/json": { json: deaf },
    "POST /containers/a/stop": { status: 204 },
  });
  const said = async (...args: readonly string[]): Promise<string> =>
    (await slipway(engine, ["stop", ...args, "a"])).stderr.split("\n")[0] ?? "";
  assert.match(await said(), /^a does not react to SIGQUIT: .* killed in 7 s\.$/);
  assert.match(await said("-t", "3"), /killed in 3 s\.$/);
  assert.match(await said("-t", "-1"), /nothing else ends it\.$/);
  assert.equal(await said("-t", "0"), "");
  assert.equal(await said("-s", "KILL"), "");
});
