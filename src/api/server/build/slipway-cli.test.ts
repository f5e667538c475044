import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { shows, startOnTerminal } from "#fixtures/live-program";
import { type Outcome, runProgram } from "#fixtures/program";
import { tarHeader } from "#core/tar";
import { readTar } from "#core/tar-read";
import { writeTar } from "#core/tar-write";
import { fakeRooms } from "../testing/fake-rooms.ts";
import { startServer, type TestServer } from "../testing/raw-client.ts";
import {
  type BuildScript,
  eventsOf,
  scriptedBuilder,
  type ScriptedBuilder,
  stepsOf,
} from "../testing/scripted-builder.ts";

const program = join(import.meta.dirname, "../../../../bin/slipway.ts");
const folder = await mkdtemp(join(tmpdir(), "slipway-own-build-"));
after(() => rm(folder, { recursive: true, force: true }));
const context = join(folder, "context");
await mkdir(context);
await writeFile(join(context, "Dockerfile"), "FROM busybox\nRUN make\n");

const steps = stepsOf(["FROM busybox", "RUN make"]);

async function serverOf(builder: ScriptedBuilder): Promise<TestServer> {
  const rooms = fakeRooms();
  const paths = { ...rooms.options.host.paths, execRoot: folder };
  return await startServer({ ...rooms.options, host: { ...rooms.options.host, paths }, builder });
}

async function slipway(builder: ScriptedBuilder, ...args: readonly string[]): Promise<Outcome> {
  await using server = await serverOf(builder);
  const env = { SLIPWAY_HOST: `unix://${server.path}`, DOCKER_CONFIG: folder };
  return await runProgram(process.execPath, [program, "build", ...args], { env });
}

/** A build whose only step says that. */
function saying(words: (...given: Parameters<BuildScript>) => Promise<string>): ScriptedBuilder {
  return scriptedBuilder(async function* (request, signal) {
    const { plan, started, ended, output, result } = eventsOf(steps);
    yield plan;
    yield started(2);
    yield output(2, `${await words(request, signal)}\n`);
    yield ended(2);
    yield result();
  });
}

test("slipway build: the daemon uses the folder itself, named contexts too", async () => {
  const builder = saying(async () => "done");
  const { code, stderr } = await slipway(builder, "--build-context", `lib=${folder}`, context);
  assert.equal(code, 0, stderr);
  assert.deepEqual(builder.builds[0]?.context, { kind: "folder", path: context });
  assert.deepEqual(builder.builds[0]?.contexts, { lib: { kind: "folder", path: folder } });
});

test("slipway build --ssh: a step speaks with the agent of who builds, more than once", async () => {
  const path = join(folder, "agent.sock");
  const agent = createServer((socket) => socket.on("data", (bytes) => socket.end(`agent heard ${bytes.toString()}`)));
  agent.listen(path);
  await once(agent, "listening");
  const ask = async (socketPath: string, question: string): Promise<string> => {
    const socket = connect(socketPath);
    socket.write(question);
    let heard = "";
    for await (const bytes of socket) heard += String(bytes);
    return heard;
  };
  const builder = saying(async ({ sshAgents }) => {
    const socketPath = sshAgents.get("default") ?? "";
    const answers: string[] = [];
    for (const question of ["one", "two", "three"]) answers.push(await ask(socketPath, question));
    return answers.join(", ");
  });
  const { code, stderr } = await slipway(builder, "--ssh", `default=${path}`, context);
  agent.close();
  assert.equal(code, 0, stderr);
  assert.match(stderr, /agent heard one, agent heard two, agent heard three/);
});

test("slipway build --secret: its bytes reach the builder, and nothing that is told holds them", async () => {
  const builder = saying(async ({ secrets }) => `${secrets.get("key")?.length} bytes`);
  await writeFile(join(folder, "key"), "hush");
  const { stderr } = await slipway(builder, "--secret", `id=key,src=${join(folder, "key")}`, context);
  assert.match(stderr, /4 bytes/);
  assert.doesNotMatch(stderr, /hush/);
});

test("slipway build --output: files come out while the build tells of itself", async () => {
  const builder = scriptedBuilder(async function* ({ outputs }) {
    const { plan, started, ended, result } = eventsOf(steps);
    yield plan;
    yield started(2);
    const [output] = outputs;
    if (output?.type !== "local") throw new Error("no local output was asked for");
    const header = tarHeader({ type: "file", path: "tool", mode: 0o755, sizeBytes: 1 << 20 });
    await output.write(
      writeTar(
        (async function* () {
          yield { header, data: Buffer.alloc(1 << 20, "x") };
        })(),
      ),
    );
    yield ended(2);
    yield result();
  });
  const out = join(folder, "out");
  const { code, stderr } = await slipway(builder, "-o", out, context);
  assert.equal(code, 0, stderr);
  assert.equal((await readFile(join(out, "tool"))).length, 1 << 20);
});

test("slipway build: an interrupted one is cancelled, and says so with code 130", async () => {
  const { promise: running, resolve: runs } = Promise.withResolvers<void>();
  const { promise: cancelled, resolve: cancel } = Promise.withResolvers<void>();
  const builder = scriptedBuilder(async function* (_request, signal) {
    const { plan, started } = eventsOf(steps);
    yield plan;
    yield started(2);
    signal.addEventListener("abort", () => cancel());
    runs();
    await cancelled;
    signal.throwIfAborted();
  });
  await using server = await serverOf(builder);
  const env = { ...process.env, SLIPWAY_HOST: `unix://${server.path}`, DOCKER_CONFIG: folder };
  const child = spawn(process.execPath, [program, "build", context], { env, stdio: ["ignore", "ignore", "pipe"] });
  let told = "";
  child.stderr.on("data", (bytes: Buffer) => (told += bytes.toString()));
  const ended = once(child, "close");
  await running;
  child.kill("SIGINT");
  await cancelled;
  const [code] = (await ended) as [number];
  assert.equal(code, 130, told);
  assert.match(told, /ERROR: failed to build: canceled/);
});

test("slipway build: a context on stdin is read while the build runs", async () => {
  const builder = saying(async ({ context: given }) => {
    const names: string[] = [];
    if (given.kind === "archive") for await (const { header } of readTar(given.bytes)) names.push(header.path);
    return names.join(" ");
  });
  const header = tarHeader({ type: "file", path: "Dockerfile", mode: 0o644, sizeBytes: 4 });
  const pieces: Uint8Array[] = [];
  const archive = writeTar(
    (async function* () {
      yield { header, data: Buffer.from("FROM") };
    })(),
  );
  for await (const piece of archive) pieces.push(piece);
  await using server = await serverOf(builder);
  const env = { SLIPWAY_HOST: `unix://${server.path}`, DOCKER_CONFIG: folder };
  const input = Buffer.concat(pieces).toString("latin1");
  const { stderr } = await runProgram(process.execPath, [program, "build", "-"], { env, input });
  assert.match(stderr, /#1 [\d.]+ Dockerfile\n/);
});

test("slipway build: on a terminal a table follows what runs, and stays when all is done", async () => {
  const { promise: seen, resolve: goOn } = Promise.withResolvers<void>();
  const builder = saying(async () => {
    await seen;
    return "made";
  });
  await using server = await serverOf(builder);
  const env = { SLIPWAY_HOST: `unix://${server.path}`, DOCKER_CONFIG: folder, TERM: "xterm" };
  const script = `stty cols 60 rows 20; '${process.execPath}' '${program}' build '${context}'; echo "code $?"`;
  const terminal = startOnTerminal(script, env);
  await shows(terminal, / => \[2\/2\] RUN make +\d\.\ds/);
  goOn();
  const rest = await shows(terminal, /code \d/);
  assert.match(rest, /\[\+\] Building \d\.\ds \(1\/2\) FINISHED\r?\n => \[2\/2\] RUN make +\d\.\ds\r?\ncode 0/);
});
