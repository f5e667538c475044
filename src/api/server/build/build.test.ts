import assert from "node:assert/strict";
import { mkdtempSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildStreamType, type BuildMessage } from "#api/wire";
import type { BuildEvent, CacheRecord } from "#build";
import { digestOf } from "#core/digest";
import { Fault } from "#core/fault";
import { shortId } from "#core/ids";
import { fakeRooms } from "../testing/fake-rooms.ts";
import { parseAnswer, startServer } from "../testing/raw-client.ts";
import {
  allOf,
  builtImage,
  type BuildScript,
  eventsOf,
  scriptedBuilder,
  type ScriptedBuilder,
  stepsOf,
} from "../testing/scripted-builder.ts";

const steps = stepsOf(["FROM busybox", "RUN echo one", "RUN echo two"]);

async function* emptyBuild(): AsyncGenerator<BuildEvent> {
  yield eventsOf(steps).result();
}

/** Runs the requests against a server with that builder; the answers' parsed forms. */
async function serve(builder: ScriptedBuilder, ...requests: readonly string[]) {
  const rooms = fakeRooms({ volumes: { usage: async () => [] } });
  await using server = await startServer({ ...rooms.options, builder });
  const answers = [];
  for (const request of requests) answers.push(parseAnswer(await server.exchange(request)));
  return answers;
}

function post(target: string, body = "", headers = ""): string {
  return `POST ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

async function classic(script: BuildScript, query = ""): Promise<Record<string, unknown>[]> {
  const [answer] = await serve(scriptedBuilder(script), post(`/v1.51/build${query}`));
  assert.equal(answer?.status, 200);
  return linesOf(answer.body);
}

function linesOf(body: string): Record<string, unknown>[] {
  const lines = body.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

function told(lines: readonly Record<string, unknown>[]): string {
  return lines.map(({ stream }) => (typeof stream === "string" ? stream : "")).join("");
}

test("POST /build: the words of the classic builder, in the Dockerfile's order though steps run together", async () => {
  const lines = await classic(async function* () {
    const { plan, started, ended, output, result } = eventsOf(steps);
    yield plan;
    yield started(1);
    yield ended(1);
    yield started(3);
    yield started(2);
    yield output(3, "two\n");
    yield output(2, "one\n");
    yield ended(3);
    yield output(2, "oops\n", "stderr");
    yield ended(2);
    yield {
      kind: "warning",
      warning: {
        rule: "UnusedBuildArg",
        description: "",
        url: "",
        message: "[Warning] One or more build-args [x] were not consumed",
      },
    };
    yield result(["app:latest"]);
  });
  const id = (number: number): string => shortId(digestOf(`result ${number}`));
  const text = told(lines);
  const containers = [...text.matchAll(/Running in ([0-9a-f]{12})/g)].map((match) => match[1]);
  assert.equal(containers.length, 2);
  assert.equal(
    text,
    [
      "Step 1/3 : FROM busybox",
      ` ---> ${id(1)}`,
      "Step 2/3 : RUN echo one",
      ` ---> Running in ${containers[0]}`,
      "one",
      "\u001b[91moops",
      `\u001b[0m ---> Removed intermediate container ${containers[0]}`,
      ` ---> ${id(2)}`,
      "Step 3/3 : RUN echo two",
      ` ---> Running in ${containers[1]}`,
      "two",
      ` ---> Removed intermediate container ${containers[1]}`,
      ` ---> ${id(3)}`,
      "\u001b[91m[Warning] One or more build-args [x] were not consumed",
      `\u001b[0mSuccessfully built ${shortId(builtImage)}`,
      "Successfully tagged app:latest",
      "",
    ].join("\n"),
  );
  assert.deepEqual(
    lines.find((line) => "aux" in line),
    { aux: { ID: builtImage } },
  );
});

test("POST /build: a cached step says so; rm=0 tells of no removal", async () => {
  const lines = await classic(async function* () {
    const { plan, ended, result } = eventsOf(steps);
    yield plan;
    yield ended(1);
    yield ended(2, "cached");
    yield ended(3);
    yield result();
  }, "?rm=0");
  const text = told(lines);
  assert.match(text, /Step 2\/3 : RUN echo one\n ---> Using cache\n ---> [0-9a-f]{12}\nStep 3/);
  assert.doesNotMatch(text, /Removed intermediate/);
});

test("POST /build: a failure before the first line has its own status, one after it is told in both words and with the exit code", async () => {
  const early = scriptedBuilder((): AsyncIterable<BuildEvent> => {
    throw new Fault("invalid", "dockerfile parse error on line 1: unknown instruction: FORM");
  });
  const [refused] = await serve(early, post("/v1.51/build"));
  assert.equal(refused?.status, 400);
  assert.match(refused.body, /dockerfile parse error on line 1: unknown instruction: FORM/);

  const lines = await classic(async function* () {
    const { plan, started, ended, output } = eventsOf(steps);
    yield plan;
    yield ended(1);
    yield started(3);
    yield output(3, "of the one that fails\n");
    yield started(2);
    yield output(2, "of the earlier one\n");
    yield ended(3, "failed");
    const fault = new Fault("invalid", "The command '/bin/sh -c exit 3' returned a non-zero code: 3");
    throw Object.assign(fault, { exitCode: 3 });
  });
  const message = "The command '/bin/sh -c exit 3' returned a non-zero code: 3";
  assert.deepEqual(lines.at(-1), { errorDetail: { code: 3, message }, error: message });
  assert.match(told(lines), /of the earlier one\n.*Step 3\/3 : RUN echo two\n.*of the one that fails\n$/s);
});

test("POST /build?q=1: the id alone; on failure all that was said", async () => {
  const quiet = await classic(async function* () {
    const { plan, ended, result } = eventsOf(steps);
    yield plan;
    yield ended(1);
    yield result(["app:latest"]);
  }, "?q=1");
  assert.deepEqual(quiet, [{ stream: `${builtImage}\n` }]);

  const failed = await classic(async function* () {
    const { plan, ended, output } = eventsOf(steps);
    yield plan;
    yield ended(1);
    yield output(2, "why\n");
    yield ended(2, "failed");
    throw new Fault("invalid", "it failed");
  }, "?q=1");
  assert.match(told(failed), /Step 2\/3.*why\n/s);
  assert.equal(failed.at(-1)?.["error"], "it failed");
});

test("POST /build: every parameter reaches the builder; null build arguments stay, broken headers mean no credentials", async () => {
  const builder = scriptedBuilder(emptyBuild);
  const query = new URLSearchParams([
    ["t", "app"],
    ["t", "host:5000/a/b:1"],
    ["t", "app:latest"],
    ["dockerfile", "sub/Dockerfile"],
    ["buildargs", '{"A":"1","B":null}'],
    ["labels", '{"l":"v"}'],
    ["cachefrom", '["busybox"]'],
    ["ulimits", '[{"Name":"nofile","Soft":1,"Hard":2}]'],
    ["extrahosts", "a:1.2.3.4"],
    ["extrahosts", "b:1.2.3.5"],
    ["memory", "1000"],
    ["memswap", "-1"],
    ["cpushares", "3"],
    ["cpuperiod", "4"],
    ["cpuquota", "5"],
    ["cpusetcpus", "0"],
    ["cpusetmems", "1"],
    ["shmsize", "64"],
    ["networkmode", "host"],
    ["target", "build"],
    ["platform", "linux/arm64"],
    ["cgroupparent", "/p"],
    ["buildid", "id1"],
    ["nocache", "1"],
    ["pull", "1"],
    ["squash", "1"],
    ["version", "1"],
  ]).toString();
  const config = Buffer.from('{"https://index.docker.io/v1/":{"username":"u","password":"p?>"}}').toString("base64url");
  await serve(
    builder,
    post(`/v1.51/build?${query}`, "", `X-Registry-Config: ${config}\r\n`),
    post("/v1.24/build", "", "X-Registry-Config: %%%\r\n"),
  );
  const [asked, plain] = builder.builds;
  assert.ok(asked !== undefined && plain !== undefined);
  assert.deepEqual(
    asked.tags.map(({ domain, path, tag }) => `${domain}/${path}:${tag}`),
    ["docker.io/library/app:latest", "host:5000/a/b:1"],
  );
  assert.deepEqual(asked.dockerfile, { path: "sub/Dockerfile" });
  assert.deepEqual(asked.args, { A: "1", B: undefined });
  assert.deepEqual(Object.keys(asked.args), ["A", "B"]);
  assert.deepEqual(asked.labels, { l: "v" });
  assert.deepEqual(asked.cacheFrom, [{ type: "registry", options: { ref: "busybox" } }]);
  assert.deepEqual(asked.ulimits, [{ name: "nofile", soft: 1, hard: 2 }]);
  assert.deepEqual(asked.extraHosts, ["a:1.2.3.4", "b:1.2.3.5"]);
  assert.deepEqual(asked.limits, {
    memoryBytes: 1000,
    memorySwapBytes: -1,
    cpuShares: 3,
    cpuPeriod: 4,
    cpuQuota: 5,
    cpusetCpus: "0",
    cpusetMems: "1",
  });
  const { shmSizeBytes, network, target, cgroupParent, id, noCache, pull, squash, platforms } = asked;
  assert.deepEqual(
    { shmSizeBytes, network, target, cgroupParent, id, noCache, pull, squash, platforms },
    {
      shmSizeBytes: 64,
      network: "host",
      target: "build",
      cgroupParent: "/p",
      id: "id1",
      noCache: true,
      pull: true,
      squash: true,
      platforms: [{ os: "linux", architecture: "arm64" }],
    },
  );
  assert.deepEqual(asked.credentials("docker.io"), { username: "u", password: "p?>" });
  assert.equal(asked.credentials("other:5000"), undefined);
  assert.deepEqual(
    [plain.credentials("docker.io"), plain.network, plain.dockerfile, plain.outputs, plain.shmSizeBytes],
    [undefined, "default", { path: "Dockerfile" }, [{ type: "image", push: false }], 64 << 20],
  );
});

test("POST /build?remote=: the URL is the context; a body is the Dockerfile, an empty one is none", async () => {
  const builder = scriptedBuilder(emptyBuild);
  const target = `/v1.51/build?remote=${encodeURIComponent("https://example.com/app.git#main")}&dockerfile=sub/Dockerfile`;
  await serve(builder, post(target, "FROM scratch\n"), post(target));
  const [withText, plain] = builder.builds;
  assert.deepEqual(withText?.context, { kind: "remote", url: "https://example.com/app.git#main" });
  assert.deepEqual([withText.dockerfile, plain?.dockerfile], [{ text: "FROM scratch\n" }, { path: "sub/Dockerfile" }]);
});

test("POST /build: what is wrong in itself is refused in Docker's words, BuildKit's sessions in clear ones", async () => {
  const builder = scriptedBuilder(emptyBuild);
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ["t=UPPER", 400, /must be lowercase/],
    [`t=app@sha256:${"0".repeat(64)}`, 400, /build tag cannot contain a digest/],
    ["buildargs=[", 400, /error reading build args/],
    ["buildargs=%7B%22A%22:1%7D", 400, /error reading build args/],
    ["labels=1", 400, /error reading labels/],
    ["ulimits=x", 400, /error reading ulimit settings/],
    ["cachefrom=x", 400, /error reading cache-from/],
    ["shmsize=x", 400, /invalid value for shmsize/],
    ["platform=a/b/c/d", 400, /unknown operating system or architecture/],
    ["version=3", 400, /invalid version: 3/],
    ["version=2", 501, /DOCKER_BUILDKIT=0/],
    ["version=2&session=abc", 501, /slipway build/],
    ["session=abc", 501, /BuildKit/],
  ];
  const answers = await serve(builder, ...cases.map(([query]) => post(`/v1.51/build?${query}`)));
  for (const [index, [query, status, words]] of cases.entries()) {
    assert.equal(answers[index]?.status, status, query);
    assert.match(answers[index].body, words, query);
  }
  assert.equal(builder.builds.length, 0);
});

test("POST /build: progress is told while the archive still arrives", async () => {
  const builder = scriptedBuilder(async function* ({ context }) {
    assert.equal(context.kind, "archive");
    if (context.kind !== "archive") return;
    const { plan, ended, output, result } = eventsOf(steps);
    yield plan;
    yield ended(1);
    for await (const bytes of context.bytes) yield output(2, `got ${Buffer.from(bytes).toString()}\n`);
    yield result();
  });
  await using server = await startServer({ ...fakeRooms().options, builder });
  const client = await server.dial();
  client.send("POST /v1.51/build HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  await client.until("got one");
  client.send("3\r\ntwo\r\n");
  await client.until("got two");
  client.send("0\r\n\r\n");
  await client.until("Successfully built");
});

test("POST /build: a client that leaves cancels the build", async () => {
  const { promise: left, resolve } = Promise.withResolvers<void>();
  const builder = scriptedBuilder(async function* (_request, signal) {
    signal.addEventListener("abort", () => resolve());
    const { plan, ended } = eventsOf(steps);
    yield plan;
    yield ended(1);
    await left;
    throw new Fault("cancelled", "context canceled");
  });
  await using server = await startServer({ ...fakeRooms().options, builder });
  const client = await server.dial();
  client.send(post("/v1.51/build"));
  await client.until("Step 1/3");
  client.socket.destroy();
  await left;
  while (builder.ended === 0) await new Promise((wake) => setImmediate(wake));
  assert.equal(builder.ended, 1);
});

test("POST /build: a client that leaves is noticed though its archive ended before its body", async () => {
  const { promise: left, resolve } = Promise.withResolvers<void>();
  const builder = scriptedBuilder(async function* ({ context }, signal) {
    signal.addEventListener("abort", () => resolve());
    if (context.kind === "archive") for await (const _ of context.bytes) break;
    const { plan, ended } = eventsOf(steps);
    yield plan;
    yield ended(1);
    await left;
    throw new Fault("cancelled", "context canceled");
  });
  await using server = await startServer({ ...fakeRooms().options, builder });
  const client = await server.dial();
  client.send("POST /v1.51/build HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  await client.until("Step 1/3");
  client.send("3\r\ntwo\r\n0\r\n\r\n");
  client.socket.end();
  await left;
  const cut = await server.dial();
  cut.send("POST /v1.51/build HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  await cut.until("Step 1/3");
  cut.socket.destroy();
  while (builder.ended < 2) await new Promise((wake) => setImmediate(wake));
  assert.equal(builder.ended, 2);
});

test("POST /build: a client that does not read is waited for, and nothing heaps up", async () => {
  let given = 0;
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const piece = Buffer.alloc(64 * 1024, "x");
  const builder = scriptedBuilder(async function* (_request, signal) {
    signal.addEventListener("abort", () => resolve());
    const { plan, ended, output } = eventsOf(steps);
    yield plan;
    yield ended(1);
    while (!signal.aborted) {
      yield output(2, piece);
      given += piece.length;
    }
  });
  await using server = await startServer({ ...fakeRooms().options, builder });
  const client = await server.dial();
  client.socket.pause();
  client.send(post("/v1.51/build"));
  let before = -1;
  const standsStill = (): boolean => before === given && given > 0;
  while (!standsStill()) {
    before = given;
    await new Promise((wake) => setTimeout(wake, 200));
  }
  assert.ok(given < 16 << 20, `${given} bytes were taken for a client that reads nothing`);
  client.socket.destroy();
  await gone;
});

test("POST /build: what a later step says while it is held back is bounded, and its end stays", async () => {
  const lines = await classic(async function* () {
    const { plan, started, ended, output, result } = eventsOf(steps);
    yield plan;
    yield ended(1);
    yield started(2);
    for (let number = 0; number < 300; number++) yield output(3, `${String(number).padStart(65_535, ".")}\n`);
    yield ended(3);
    yield ended(2);
    yield result();
  });
  const text = told(lines);
  assert.ok(text.length < 10 << 20, `${text.length} characters`);
  assert.match(text, /\[output clipped: \d+ bytes came before the following\]/);
  assert.match(text, /\.299\n/);
  assert.doesNotMatch(text, /\.100\n/);
});

test("POST /build/cancel: the build of that id; without one it is refused", async () => {
  const builder = scriptedBuilder(emptyBuild);
  const [done, refused] = await serve(builder, post("/v1.51/build/cancel?id=b1"), post("/v1.51/build/cancel"));
  assert.equal(done?.status, 200);
  assert.deepEqual(builder.cancelled, ["b1"]);
  assert.deepEqual([refused?.status, /build ID not provided/.test(refused?.body ?? "")], [400, true]);
});

const record: CacheRecord = {
  id: "c1",
  parents: ["p1", "p2"],
  type: "regular",
  description: "RUN make",
  inUse: false,
  shared: false,
  sizeBytes: 100,
  createdNs: 1_700_000_000_000_000_000n,
  usageCount: 2,
};

test("GET /system/df and POST /build/prune: the builder's cache in each version's words", async () => {
  const builder = scriptedBuilder(emptyBuild, { cache: [record, { ...record, id: "c2", shared: true }] });
  const filters = encodeURIComponent('{"until":{"24h":true}}');
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
  const [newer, older, pruned] = await serve(
    builder,
    get("/v1.51/system/df?type=build-cache"),
    get("/v1.41/system/df"),
    post(`/v1.51/build/prune?all=1&filters=${filters}&keep-storage=5&max-used-space=6&min-free-space=7`),
  );
  const cache = (body: string | undefined) =>
    JSON.parse(body ?? "") as { BuildCache: Record<string, unknown>[]; BuilderSize?: number };
  assert.deepEqual(cache(newer?.body).BuildCache[0], {
    ID: "c1",
    Parents: ["p1", "p2"],
    Type: "regular",
    Description: "RUN make",
    InUse: false,
    Shared: false,
    Size: 100,
    CreatedAt: "2023-11-14T22:13:20Z",
    LastUsedAt: null,
    UsageCount: 2,
  });
  assert.equal(cache(older?.body).BuilderSize, 100);
  assert.equal(cache(older?.body).BuildCache[0]?.["Parent"], "p1");
  assert.deepEqual(JSON.parse(pruned?.body ?? ""), { CachesDeleted: ["abc"], SpaceReclaimed: 42 });
  assert.deepEqual(builder.prunes, [
    { all: true, filters: { until: ["24h"] }, reservedBytes: 5, maxUsedBytes: 6, minFreeBytes: 7 },
  ]);
});

const ours = `Accept: ${buildStreamType}\r\n`;

function messagesOf(body: string): BuildMessage[] {
  return linesOf(body) as unknown as BuildMessage[];
}

test("POST /build with our media type: every event is a line, outputs for the client go among them", async () => {
  const file = Buffer.alloc(500_000, "tar");
  const builder = scriptedBuilder(async function* ({ outputs }) {
    const { plan, started, output, ended, result } = eventsOf(steps);
    yield plan;
    yield started(2);
    yield output(2, "one\n", "stderr");
    yield { kind: "ended", step: steps[1]!.id, timeNs: 1n, outcome: "done", reason: "it was not built here before" };
    yield ended(1, "cached");
    for (const each of outputs) {
      if (each.type === "image") continue;
      await each.write(
        (async function* () {
          yield file;
        })(),
      );
    }
    yield result(["app:latest"]);
  });
  const outputs = encodeURIComponent('[{"Type":"image"},{"Type":"tar"}]');
  const [answer] = await serve(
    builder,
    post(`/v1.51/build?version=2&outputs=${outputs}&platform=linux/amd64,linux/arm64&explain=1&check=1`, "", ours),
  );
  assert.equal(answer?.headers["content-type"], buildStreamType);
  const messages = messagesOf(answer.body);
  assert.deepEqual(
    [...new Set(messages.map(({ Kind }) => Kind))],
    ["plan", "started", "output", "ended", "file", "fileEnd", "result"],
  );
  const sent = messages.flatMap((message) =>
    message.Kind === "file" ? [[message.Output, Buffer.from(message.Data, "base64")] as const] : [],
  );
  assert.ok(Buffer.concat(sent.map(([, bytes]) => bytes)).equals(file));
  assert.deepEqual(new Set(sent.map(([index]) => index)), new Set([1]));
  const [asked] = builder.builds;
  assert.deepEqual(
    [asked?.platforms.length, asked?.explain, asked?.checkOnly, asked?.outputs.map(({ type }) => type)],
    [2, true, true, ["image", "tar"]],
  );
});

test("POST /build with our media type: a failure is the last line, with its place and exit code", async () => {
  const builder = scriptedBuilder(async function* () {
    yield eventsOf(steps).plan;
    const span = { start: { line: 2, column: 1 }, end: { line: 2, column: 9 } };
    throw Object.assign(new Fault("invalid", "it failed"), { exitCode: 7, span });
  });
  const [answer] = await serve(builder, post("/v1.51/build", "", ours));
  assert.deepEqual(messagesOf(answer?.body ?? "").at(-1), {
    Kind: "failed",
    Message: "it failed",
    ExitCode: 7,
    Span: { Start: { Line: 2, Column: 1 }, End: { Line: 2, Column: 9 } },
  });
});

test("build sessions: secrets and the Dockerfile come beside the request, once; too large ones are refused", async () => {
  const builder = scriptedBuilder(emptyBuild);
  const rooms = fakeRooms();
  await using server = await startServer({ ...rooms.options, builder });
  const ask = async (request: string) => parseAnswer(await server.exchange(request));
  const json = "Content-Type: application/json\r\n";
  const large = JSON.stringify({ Secrets: { big: Buffer.alloc(501 * 1024).toString("base64") } });
  assert.equal((await ask(post("/slipway/build/sessions", large, json))).status, 413);
  const secret = Buffer.from("hush").toString("base64");
  const opened = await ask(
    post("/slipway/build/sessions", JSON.stringify({ Secrets: { key: secret }, Dockerfile: "FROM scratch" }), json),
  );
  assert.equal(opened.status, 201);
  const { Id: id } = JSON.parse(opened.body) as { Id: string };
  assert.equal((await ask(post(`/v1.51/build?session=${id}`, "", ours))).status, 200);
  const [asked] = builder.builds;
  assert.equal(Buffer.from(asked?.secrets.get("key") ?? "").toString(), "hush");
  assert.deepEqual(asked?.dockerfile, { text: "FROM scratch" });
  assert.equal((await ask(post(`/v1.51/build?session=${id}`, "", ours))).status, 404);
  assert.doesNotMatch(rooms.logged.join("\n"), /hush/);
});

test("build sessions: a step's connection to an agent is joined with one that the client parked", async () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-agents-"));
  const builder = scriptedBuilder(async function* ({ sshAgents }) {
    const path = sshAgents.get("default") ?? "";
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const socket = connect(path);
    socket.write("question");
    for await (const bytes of socket) {
      const { plan, output, ended, result } = eventsOf(steps);
      yield plan;
      yield ended(1);
      yield output(2, bytes as Buffer);
      socket.destroy();
      yield result();
      return;
    }
  });
  const rooms = fakeRooms();
  const paths = { ...rooms.options.host.paths, execRoot: folder };
  await using server = await startServer({ ...rooms.options, host: { ...rooms.options.host, paths }, builder });
  const opened = parseAnswer(
    await server.exchange(
      post("/slipway/build/sessions", '{"Agents":["default"]}', "Content-Type: application/json\r\n"),
    ),
  );
  const { Id: id } = JSON.parse(opened.body) as { Id: string };
  const agent = await server.dial();
  agent.send(
    `POST /slipway/build/sessions/${id}/agent?agent=default HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n`,
  );
  await agent.until("101 UPGRADED");
  const built = server.exchange(post(`/v1.51/build?session=${id}`, "", ours));
  await agent.until("question");
  agent.send("answer");
  assert.ok(messagesOf(parseAnswer(await built).body).some((message) => message.Kind === "output"));
  await agent.readToEnd();
  await rm(folder, { recursive: true });
});

test("build sessions: a named context is what the client sends under that name", async () => {
  const builder = scriptedBuilder(async function* ({ contexts }) {
    const named = contexts["lib"];
    if (named?.kind !== "archive") throw new Error("no archive");
    const { plan, ended, output, result } = eventsOf(steps);
    yield plan;
    yield ended(1);
    yield output(2, await allOf(named.bytes));
    yield result();
  });
  await using server = await startServer({ ...fakeRooms().options, builder });
  const opened = parseAnswer(await server.exchange(post("/slipway/build/sessions")));
  const { Id: id } = JSON.parse(opened.body) as { Id: string };
  const contexts = encodeURIComponent('{"lib":{"Sent":true}}');
  const built = server.exchange(post(`/v1.51/build?session=${id}&contexts=${contexts}`, "", ours));
  const sent = await server.exchange(post(`/slipway/build/sessions/${id}/context?name=lib`, "the tar"));
  assert.equal(parseAnswer(sent).status, 204);
  const output = messagesOf(parseAnswer(await built).body).find((message) => message.Kind === "output");
  assert.equal(output?.Kind === "output" && Buffer.from(output.Data, "base64").toString(), "the tar");
});

test("POST /build?context=: the folder itself when both sides see the same one, else 409", async () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-context-"));
  const { dev, ino } = statSync(folder, { bigint: true });
  const builder = scriptedBuilder(emptyBuild);
  const target = (id: string): string => `/v1.51/build?context=${encodeURIComponent(folder)}&contextid=${id}`;
  const [agreed, other, unasked] = await serve(
    builder,
    post(target(`${dev}:${ino}`), "", ours),
    post(target(`${dev}:${ino + 1n}`), "", ours),
    post(target(`${dev}:${ino}`)),
  );
  assert.deepEqual([agreed?.status, other?.status, unasked?.status], [200, 409, 200]);
  assert.deepEqual(builder.builds[0]?.context, { kind: "folder", path: folder });
  assert.equal(builder.builds[1]?.context.kind, "archive");
  await rm(folder, { recursive: true });
});

test("GET and DELETE /slipway/build/history, cache mounts: told and done", async () => {
  const builder = scriptedBuilder(emptyBuild, {
    records: [
      {
        id: "b1",
        name: "app",
        startedNs: 1_700_000_000_000_000_000n,
        status: "running",
        steps: 3,
        cachedSteps: 1,
        tags: [],
      },
    ],
  });
  const [history, forgotten, put, got] = await serve(
    builder,
    "GET /slipway/build/history HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "DELETE /slipway/build/history?id=b1&id=b2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "PUT /slipway/build/cache-mount?id=/root/.npm HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\ntar",
    "GET /slipway/build/cache-mount?id=/root/.npm HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  );
  assert.deepEqual(JSON.parse(history?.body ?? ""), [
    { ID: "b1", Name: "app", Started: "2023-11-14T22:13:20Z", Status: "running", Steps: 3, CachedSteps: 1, Tags: [] },
  ]);
  assert.deepEqual([forgotten?.status, builder.forgotten], [200, [["b1", "b2"]]]);
  assert.deepEqual([put?.status, got?.body], [204, "tar"]);
});
