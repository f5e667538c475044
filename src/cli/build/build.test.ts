import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type BuildMessage, buildStreamType } from "#api/wire";
import { tarHeader } from "#core/tar";
import { readTar } from "#core/tar-read";
import { writeTar } from "#core/tar-write";
import { type FakeAnswer, type FakeEngine, type SeenRequest, startFakeEngine } from "#fixtures/fake-engine";
import { type Outcome, runProgram } from "#fixtures/program";
import { LiveDisplay } from "./live-display.ts";
import { firstDifference } from "./reproducible.ts";

const program = join(import.meta.dirname, "../../../bin/slipway.ts");
const folder = await mkdtemp(join(tmpdir(), "slipway-build-"));
after(() => rm(folder, { recursive: true, force: true }));

const context = join(folder, "context");
await mkdir(join(context, "node_modules"), { recursive: true });
await writeFile(join(context, "Dockerfile"), "FROM busybox\nRUN exit 3\n");
await writeFile(join(context, ".dockerignore"), "node_modules\n*.log\n!kept.log\n");
for (const name of ["node_modules/x.js", "a.log", "kept.log", "main.c"]) await writeFile(join(context, name), name);

const image = `sha256:${"1".repeat(64)}`;
const time = (milliseconds: number): string => new Date(1_700_000_000_000 + milliseconds).toISOString();
const base64 = (text: string | Uint8Array): string => Buffer.from(text as string).toString("base64");

const plan: BuildMessage = {
  Kind: "plan",
  Steps: [
    { ID: "load", Name: "[internal] load build definition from Dockerfile", Number: 0, Instruction: "", Inputs: [] },
    { ID: "from", Name: "[1/3] FROM busybox", Number: 1, Instruction: "FROM busybox", Inputs: [] },
    { ID: "env", Name: "ENV a=b", Number: 2, Instruction: "ENV a=b", Metadata: true, Inputs: ["from"] },
    {
      ID: "run",
      Name: "[2/3] RUN exit 3",
      Number: 3,
      Instruction: "RUN exit 3",
      Inputs: ["env"],
      Span: { Start: { Line: 2, Column: 1 }, End: { Line: 2, Column: 11 } },
    },
  ],
};
const result: BuildMessage = {
  Kind: "result",
  BuildID: "b1",
  ImageID: image,
  Digest: `sha256:${"2".repeat(64)}`,
  Tags: ["app:latest"],
  Metadata: {},
};
const ran: readonly BuildMessage[] = [
  { Kind: "started", Step: "load", Time: time(0) },
  { Kind: "ended", Step: "load", Time: time(100), Outcome: "done" },
  { Kind: "started", Step: "from", Time: time(100) },
  { Kind: "ended", Step: "from", Time: time(100), Outcome: "cached" },
  { Kind: "started", Step: "env", Time: time(100) },
  { Kind: "ended", Step: "env", Time: time(100), Outcome: "cached" },
  { Kind: "started", Step: "run", Time: time(200) },
  { Kind: "output", Step: "run", Stream: "stdout", Data: base64("half "), Time: time(300) },
  { Kind: "output", Step: "run", Stream: "stderr", Data: base64("line\nrest"), Time: time(323) },
];
const succeeded: readonly BuildMessage[] = [
  plan,
  ...ran,
  { Kind: "ended", Step: "run", Time: time(1400), Outcome: "done", Reason: "its command has changed" },
  result,
];

function answer(messages: readonly BuildMessage[]): FakeAnswer {
  return { type: buildStreamType, text: messages.map((message) => `${JSON.stringify(message)}\n`).join("") };
}

type Routes = Readonly<Record<string, FakeAnswer | ((request: SeenRequest) => FakeAnswer)>>;

async function engineOf(messages: readonly BuildMessage[], more: Routes = {}): Promise<FakeEngine> {
  return await startFakeEngine({
    "POST /build": answer(messages),
    "GET /_ping": { text: "OK", type: "text/plain" },
    "POST /slipway/build/sessions": { status: 201, json: { Id: "s1" } },
    ...more,
  });
}

async function slipway(engine: FakeEngine | undefined, args: readonly string[], input = ""): Promise<Outcome> {
  const env = { SLIPWAY_HOST: engine?.host ?? "unix:///nowhere/s", DOCKER_CONFIG: folder, TOKEN: "hush" };
  return await runProgram(process.execPath, [program, ...args], { env, input });
}

async function namesIn(bytes: Uint8Array): Promise<string[]> {
  const names: string[] = [];
  for await (const { header } of readTar(only(bytes))) names.push(header.path);
  return names;
}

async function* only<Item>(...items: readonly Item[]): AsyncGenerator<Item, void, void> {
  yield* items;
}

test("slipway build: plain progress in BuildKit's form, on stderr alone", async () => {
  await using engine = await engineOf(succeeded);
  const { code, stdout, stderr } = await slipway(engine, ["build", "--explain", "-t", "app", context]);
  assert.deepEqual([code, stdout], [0, ""]);
  assert.equal(
    stderr,
    [
      "#1 [internal] load build definition from Dockerfile",
      "#1 DONE 0.1s",
      "",
      "#2 [1/3] FROM busybox",
      "#2 CACHED",
      "",
      "#3 [2/3] RUN exit 3",
      "#3 0.123 half line",
      "#3 0.123 rest",
      "#3 because: its command has changed",
      "#3 DONE 1.2s",
      "",
      "",
    ].join("\n"),
  );
  const asked = engine.seen.find(({ path }) => path === "/build");
  const { dev, ino } = await stat(context, { bigint: true });
  assert.equal(asked?.query.get("context"), context);
  assert.equal(asked?.query.get("contextid"), `${dev}:${ino}`);
  assert.deepEqual([asked?.query.get("t"), asked?.query.get("explain"), asked?.body], ["app", "1", ""]);
});

test("slipway build: a failure shows the end of the output and the place in the Dockerfile, and exits with 1", async () => {
  const message = "The command '/bin/sh -c exit 3' returned a non-zero code: 3";
  await using engine = await engineOf([
    plan,
    ...ran,
    { Kind: "ended", Step: "run", Time: time(1400), Outcome: "failed", Error: message },
    { Kind: "failed", Message: message, ExitCode: 3 },
  ]);
  const { code, stderr } = await slipway(engine, ["build", context]);
  assert.equal(code, 1);
  assert.match(stderr, /#3 ERROR: The command/);
  assert.match(stderr, /------\n > \[2\/3\] RUN exit 3:\nhalf line\nrest\n------\nDockerfile:2\n/);
  assert.match(stderr, /2 \| >>> RUN exit 3\n.*\^{10}/);
  assert.ok(stderr.endsWith(`ERROR: failed to build: ${message}\n`), stderr);
});

test("slipway build: a daemon that sees another folder is sent an archive, without what .dockerignore leaves out", async () => {
  await using engine = await engineOf([], {
    "POST /build": ({ query }) =>
      query.has("context") ? { status: 409, json: { message: "another folder" } } : answer(succeeded),
  });
  const { code, stderr } = await slipway(engine, ["build", context]);
  assert.equal(code, 0, stderr);
  const sent = engine.seen.findLast(({ path }) => path === "/build");
  assert.equal(sent?.query.has("context"), false);
  assert.deepEqual(await namesIn(Buffer.from(sent?.body ?? "")), [
    "./",
    "./.dockerignore",
    "./Dockerfile",
    "./kept.log",
    "./main.c",
  ]);
});

test("slipway build: secrets and a Dockerfile of elsewhere travel in a session, never in a URL", async () => {
  await using engine = await engineOf(succeeded);
  const { code, stderr } = await slipway(
    engine,
    [
      "build",
      "-f",
      "-",
      "--secret",
      "id=token,env=TOKEN",
      "--secret",
      `id=file,src=${join(context, "main.c")}`,
      context,
    ],
    "FROM scratch\n",
  );
  assert.equal(code, 0, stderr);
  const session = engine.seen.find(({ path }) => path === "/slipway/build/sessions");
  assert.deepEqual(JSON.parse(session?.body ?? ""), {
    Secrets: { token: base64("hush"), file: base64("main.c") },
    Agents: [],
    Dockerfile: "FROM scratch\n",
  });
  const build = engine.seen.find(({ path }) => path === "/build");
  assert.equal(build?.query.get("session"), "s1");
  assert.doesNotMatch(build?.query.toString() ?? "", /hush|aHVza/);
});

test("slipway build -: a Dockerfile or an archive on stdin", async () => {
  await using engine = await engineOf(succeeded);
  await slipway(engine, ["build", "-"], "FROM scratch\n");
  const session = engine.seen.find(({ path }) => path === "/slipway/build/sessions");
  assert.equal((JSON.parse(session?.body ?? "") as { Dockerfile: string }).Dockerfile, "FROM scratch\n");
  const header = tarHeader({ type: "file", path: "Dockerfile", mode: 0o644, sizeBytes: 4 });
  const tar = (await allOf(writeTar(only({ header, data: Buffer.from("FROM") })))).toString("latin1");
  await slipway(engine, ["build", "-"], tar);
  assert.equal(engine.seen.at(-1)?.body, tar);
  assert.equal(engine.seen.at(-1)?.query.has("session"), false);
  const both = await slipway(engine, ["build", "-f", "-", "-"]);
  assert.match(both.stderr, /can't use stdin for both build context and dockerfile/);
});

test("slipway build: flags become parameters", async () => {
  await using engine = await engineOf(succeeded);
  const { code, stderr } = await slipway(engine, [
    ..."build --build-arg A=1 --build-arg TOKEN --build-arg ABSENT --label l=v --platform linux/amd64,linux/arm64".split(
      " ",
    ),
    ..."--no-cache-filter test --cache-from busybox --cache-to type=inline --allow network.host --network host".split(
      " ",
    ),
    ..."--add-host a:1.2.3.4 --shm-size 64m --ulimit nofile=1:2 -m 100m --memory-swap -1 --target t --pull --push".split(
      " ",
    ),
    ..."--provenance mode=max --sbom true --annotation x=y --build-context lib=docker-image://debian --squash".split(
      " ",
    ),
    "https://example.com/app.git#main",
  ]);
  assert.equal(code, 0, stderr);
  const query = Object.fromEntries(engine.seen.find(({ path }) => path === "/build")?.query ?? []);
  assert.deepEqual(query, {
    buildargs: '{"A":"1","TOKEN":"hush"}',
    labels: '{"l":"v"}',
    annotations: '{"x":"y"}',
    platform: "linux/amd64,linux/arm64",
    outputs: '[{"Type":"image","Attrs":{"push":"true"}}]',
    contexts: '{"lib":{"Image":"debian"}}',
    nocachefilter: '["test"]',
    cachefrom: '[{"Type":"registry","Attrs":{"ref":"busybox"}}]',
    cacheto: '[{"Type":"inline","Attrs":{}}]',
    allow: '["network.host"]',
    networkmode: "host",
    extrahosts: "a:1.2.3.4",
    shmsize: String(64 << 20),
    ulimits: '[{"Name":"nofile","Hard":2,"Soft":1}]',
    memory: String(100 << 20),
    memswap: "-1",
    target: "t",
    pull: "1",
    squash: "1",
    provenance: "max",
    sbom: "1",
    remote: "https://example.com/app.git#main",
  });
});

test("slipway build: outputs are unpacked into a folder, or written to a file that is whole", async () => {
  const tar = await allOf(
    writeTar(
      only({
        header: tarHeader({ type: "file", path: "bin/tool", mode: 0o755, sizeBytes: 4 }),
        data: Buffer.from("tool"),
      }),
    ),
  );
  const file = (output: number): BuildMessage[] => [
    { Kind: "file", Output: output, Data: base64(tar.subarray(0, 700)) },
    { Kind: "file", Output: output, Data: base64(tar.subarray(700)) },
  ];
  const whole: BuildMessage[] = [
    ...file(0),
    ...file(1),
    { Kind: "fileEnd", Output: 0 },
    { Kind: "fileEnd", Output: 1 },
  ];
  const out = join(folder, "out");
  const archive = join(folder, "out.tar");
  const flags = ["build", "-o", out, "-o", `type=tar,dest=${archive}`, context];
  {
    await using engine = await engineOf([plan, ...whole, result]);
    const { code, stderr } = await slipway(engine, flags);
    assert.equal(code, 0, stderr);
    assert.equal(await readFile(join(out, "bin/tool"), "utf8"), "tool");
    assert.ok((await readFile(archive)).equals(tar));
    await rm(archive);
  }
  await using engine = await engineOf([plan, ...file(1), { Kind: "failed", Message: "no" }]);
  const { code } = await slipway(engine, flags);
  assert.equal(code, 1);
  await assert.rejects(stat(archive), /ENOENT/);
});

test("slipway build -q, --iidfile, --metadata-file: the id and the facts", async () => {
  await using engine = await engineOf(succeeded);
  const [iid, facts] = [join(folder, "iid"), join(folder, "facts.json")];
  const outcome = await slipway(engine, ["build", "-q", "--iidfile", iid, "--metadata-file", facts, context]);
  assert.deepEqual(outcome, { code: 0, stdout: `${image}\n`, stderr: "" });
  assert.equal(await readFile(iid, "utf8"), image);
  assert.deepEqual(JSON.parse(await readFile(facts, "utf8")), {
    "buildx.build.ref": "b1",
    "containerimage.config.digest": image,
    "containerimage.digest": `sha256:${"2".repeat(64)}`,
    "image.name": "app:latest",
  });
  const { ImageID: _, ...archived } = result as BuildMessage & { readonly ImageID: string };
  const metadata = { "containerimage.config.digest": image };
  await using other = await engineOf([plan, ...ran, { ...archived, Metadata: metadata } as BuildMessage]);
  const { stdout } = await slipway(other, ["build", "-q", "-o", "type=cacheonly", context]);
  assert.equal(stdout, `${image}\n`, "an image that is in an archive has an id too");
});

test("slipway build --progress rawjson: BuildKit's SolveStatus, one a line", async () => {
  await using engine = await engineOf(succeeded);
  const { stderr } = await slipway(engine, ["build", "--progress", "rawjson", context]);
  const lines = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown[]>);
  assert.deepEqual(lines[0]?.["vertexes"]?.[1], { digest: "from", inputs: [], name: "[1/3] FROM busybox" });
  assert.ok(lines.some(({ vertexes }) => (vertexes?.[0] as { cached?: boolean } | undefined)?.cached === true));
  assert.deepEqual(lines.find(({ logs }) => logs !== undefined)?.["logs"]?.[0], {
    vertex: "run",
    stream: 1,
    data: base64("half "),
    timestamp: time(300),
  });
});

test("slipway build --check: tells what was found, with places", async () => {
  const warning: BuildMessage = {
    Kind: "warning",
    Rule: "StageNameCasing",
    Description: "",
    URL: "https://docs.docker.com/go/dockerfile/rule/stage-name-casing/",
    Message: "Stage name 'Build' should be lowercase",
    Span: { Start: { Line: 1, Column: 1 }, End: { Line: 1, Column: 13 } },
  };
  await using found = await engineOf([warning, result]);
  const outcome = await slipway(found, ["build", "--check", context]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.stdout, /^Check complete, 1 warning has been found!\n\nWARNING: StageNameCasing - https/);
  assert.match(outcome.stdout, /Dockerfile:1\n.*>>> FROM busybox/s);
  await using clean = await engineOf([result]);
  assert.deepEqual(await slipway(clean, ["build", "--check", context]), {
    code: 0,
    stdout: "Check complete, no warnings found.\n",
    stderr: "",
  });
});

test("slipway build: mistakes are told before the engine is asked", async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["/nowhere"], /unable to prepare context: path "\/nowhere" not found/],
    [["-o", "type=local", context], /dest is required for local exporter/],
    [["-o", "type=odd,dest=x", context], /unknown exporter type: odd/],
    [["--secret", "src=x", context], /it needs an id/],
    [["--secret", "id=x,src=/nowhere", context], /failed to read secret x/],
    [["--ssh", "id=/nowhere", context], /is no socket of an SSH agent/],
    [["--build-context", "x", context], /expected name=value/],
    [["--provenance", "mode=odd", context], /use true, false, mode=min or mode=max/],
    [["--add-host", "x", context], /bad format for add-host/],
  ];
  for (const [args, words] of cases) {
    const { code, stderr } = await slipway(undefined, ["build", ...args]);
    assert.equal(code, 1, args.join(" "));
    assert.match(stderr, words);
  }
});

test("slipway build history, builder du, builder prune: told and done", async () => {
  const record = {
    ID: "b".repeat(64),
    Name: "app",
    Started: time(0),
    Ended: time(1500),
    Status: "done",
    Steps: 5,
    CachedSteps: 3,
    Tags: [],
  };
  const cache = {
    ID: "c".repeat(64),
    Type: "regular",
    Description: "RUN make",
    InUse: false,
    Shared: true,
    Size: 1000,
    CreatedAt: time(0),
    LastUsedAt: null,
    UsageCount: 1,
  };
  await using engine = await engineOf([], {
    "GET /slipway/build/history": { json: [record] },
    "DELETE /slipway/build/history": { json: { Forgotten: 1 } },
    "GET /system/df": { json: { LayersSize: 0, Images: [], Containers: [], Volumes: [], BuildCache: [cache] } },
    "POST /build/prune": { json: { CachesDeleted: ["c1"], SpaceReclaimed: 1000 } },
  });
  const listed = await slipway(engine, ["build", "history"]);
  assert.match(listed.stdout, /BUILD ID +NAME +STATUS +STEPS.*\nb{12} +app +done +5 \(3 cached\) +.* ago +1\.5s\n$/s);
  assert.equal((await slipway(engine, ["build", "history", "rm", "bbbb"])).stdout, `${record.ID}\n`);
  assert.match((await slipway(engine, ["build", "history", "inspect", "nope"])).stderr, /No such build: nope/);
  const usage = await slipway(engine, ["builder", "du"]);
  assert.match(usage.stdout, /^ID +RECLAIMABLE.*\nc{12} +true +1kB\* .*RUN make\nShared: +1kB\nPrivate: +0B\n/s);
  const flags = "--max-used-space 1k --min-free-space 2k --reserved-space 3k --filter type=regular".split(" ");
  const pruned = await slipway(engine, ["builder", "prune", "-af", ...flags]);
  assert.match(pruned.stdout, /Deleted build cache objects:\nc1\n\nTotal reclaimed space: 1kB\n/);
  const { query } = engine.seen.at(-1) ?? {};
  assert.deepEqual(Object.fromEntries(query ?? []), {
    all: "1",
    "keep-storage": "3072",
    "reserved-space": "3072",
    "max-used-space": "1024",
    "min-free-space": "2048",
    filters: '{"type":{"regular":true}}',
  });
});

test("slipway build explain-ignore: which line decides", async () => {
  const paths = ["node_modules/x.js", "kept.log", "main.c"].map((name) => join(context, name));
  const { stdout } = await slipway(undefined, ["build", "explain-ignore", "--context", context, ...paths]);
  assert.equal(
    stdout,
    "node_modules/x.js: left out (.dockerignore:1: node_modules)\n" +
      "kept.log: part of the context (.dockerignore:3: !kept.log)\n" +
      "main.c: part of the context (no line of .dockerignore fits)\n",
  );
});

test("LiveDisplay: keeps to the terminal's size, shows the last lines of what runs, and prints no control characters of a build", () => {
  const written: string[] = [];
  const display = new LiveDisplay(
    { columns: 40, rows: 12, write: (text) => void written.push(text) },
    () => 1_700_000_001_000,
  );
  for (const message of [plan, ...ran]) display.show(message);
  const noise = "\u001b[2J\u001b]0;title\u0007loud\n".repeat(20);
  display.show({ Kind: "output", Step: "run", Stream: "stdout", Data: base64(noise), Time: time(400) });
  display.close();
  const text = written.join("");
  const lines = text.split("\n");
  assert.ok(lines.every((line) => line.length <= 40));
  assert.match(text, /\[\+\] Building 0\.0s \(2\/3\) FINISHED/);
  assert.match(text, / => CACHED \[1\/3\] FROM busybox +0\.0s/);
  assert.match(text, / => \[2\/3\] RUN exit 3 +0\.8s/);
  assert.equal(lines.filter((line) => line.startsWith(" => => # ")).length, 6);
  assert.doesNotMatch(text, /\u001b\[2J|\u0007/);
});

test("firstDifference: the same image, another file, another time", async () => {
  const first = await archiveWith("first.tar", "same", 1n);
  assert.equal(await firstDifference(first, await archiveWith("again.tar", "same", 1n)), undefined);
  const other = await firstDifference(first, await archiveWith("other.tar", "else", 1n));
  assert.match(other ?? "", /^layer 1 of 1 \(sha256:.*\): \/etc\/file differs in its contents$/);
  const later = await firstDifference(first, await archiveWith("later.tar", "same", 2n));
  assert.match(later ?? "", /\/etc\/file differs in its time; set SOURCE_DATE_EPOCH for the same times$/);
});

/** An OCI archive of one layer with one file. */
async function archiveWith(name: string, text: string, seconds: bigint): Promise<string> {
  const { digestOf } = await import("#core/digest");
  const header = tarHeader({
    type: "file",
    path: "etc/file",
    mode: 0o644,
    sizeBytes: 4,
    mtimeNs: seconds * 1_000_000_000n,
  });
  const layer = await allOf(writeTar(only({ header, data: Buffer.from(text) })));
  const config = Buffer.from("{}");
  const manifest = Buffer.from(
    JSON.stringify({ config: { digest: digestOf(config) }, layers: [{ digest: digestOf(layer) }] }),
  );
  const index = Buffer.from(JSON.stringify({ manifests: [{ digest: digestOf(manifest) }] }));
  const blob = (bytes: Buffer) => ({ path: `blobs/${digestOf(bytes).replace(":", "/")}`, bytes });
  const files = [{ path: "index.json", bytes: index }, blob(manifest), blob(config), blob(layer)];
  const entries = files.map(({ path, bytes }) => ({
    header: tarHeader({ type: "file", path, mode: 0o644, sizeBytes: bytes.length }),
    data: bytes,
  }));
  const archive = join(folder, name);
  await writeFile(archive, await allOf(writeTar(only(...entries))));
  return archive;
}

async function allOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}
