import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { slipwayProgram, startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { folderOf } from "#fixtures/files";
import { settle, takeInventory } from "#fixtures/inventory";
import { mustRun, type Outcome, type ProgramOptions, runProgram } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;
before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-own-build-"));
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function contextOf(files: Readonly<Record<string, string>>): Promise<string> {
  return await folderOf(folder, files);
}

async function tryBuild(options: ProgramOptions, ...args: readonly string[]): Promise<Outcome> {
  const env = { DOCKER_CONFIG: folder, ...options.env };
  return await daemon.slipwayWith({ timeoutMs: 60_000, ...options, env }, "build", ...args);
}

/** What a build that must succeed says: its output, and its progress behind it. */
async function build(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await tryBuild({}, ...args);
  assert.equal(code, 0, `slipway build ${args.join(" ")}: ${stderr}`);
  return stdout + stderr;
}

async function slipway(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.slipway(...args);
  assert.equal(code, 0, `slipway ${args.join(" ")}: ${stderr}`);
  return stdout;
}

test("slipway build: a folder where it is; what has not changed is cached, and --explain says what has", async () => {
  const context = await contextOf({
    Dockerfile: "FROM busybox\nCOPY lib /lib-of-app\nRUN echo built > /word\nCOPY src /src\nRUN ls /src > /list\n",
    "lib/a": "a",
    "src/one.c": "1",
    "src/two.log": "2",
    ".dockerignore": "**/*.log\n",
  });
  const first = await build("-t", "own", context);
  assert.match(first, /#\d+ \[4\/5\] COPY src \/src\n#\d+ DONE/);
  assert.equal(await said(daemon, "run", "--rm", "--network", "none", "own", "cat", "/list"), "one.c");
  assert.equal([...(await build("-t", "own", context)).matchAll(/^#\d+ CACHED$/gm)].length, 4);
  await writeFile(join(context, "src/one.c"), "changed");
  const explained = await build("--explain", context);
  assert.match(
    explained,
    /RUN echo built > \/word\n#(\d+) because: nothing that it is made of has changed\n#\1 CACHED/,
  );
  assert.match(explained, /COPY src \/src\n#(\d+) because: .*one\.c.*changed\n#\1 DONE/);
  const sent = await tryBuild({ input: await readFile(await packed(context)) }, "-q", "-");
  assert.equal(sent.stdout, (await tryBuild({}, "-q", context)).stdout, "an archive of it makes the same image");
  assert.equal(await slipway("build", "explain-ignore", ...inContext(context, "src/two.log", "src/one.c")), ignored);
});

async function packed(context: string): Promise<string> {
  const file = join(folder, "context.tar");
  await mustRun("tar", ["-C", context, "-cf", file, "."]);
  return file;
}

const ignored =
  "src/two.log: left out (.dockerignore:1: **/*.log)\nsrc/one.c: part of the context (no line of .dockerignore fits)\n";

function inContext(context: string, ...paths: readonly string[]): string[] {
  return ["--context", context, ...paths.map((path) => join(context, path))];
}

test("slipway build: outputs are a folder, a tar, and archives that load as the image that was built", async () => {
  const context = await contextOf({
    Dockerfile: [
      "FROM busybox AS made",
      "RUN mkdir /out && echo word > /out/word && ln -s word /out/link && chown 7:8 /out/word && chmod 4755 /out/word",
      "FROM scratch AS files",
      "COPY --from=made /out /",
      "FROM made",
    ].join("\n"),
  });
  const [out, tar, oci, docker] = ["out", "out.tar", "oci.tar", "docker.tar"].map((name) => join(folder, name));
  assert.ok(out !== undefined && tar !== undefined && oci !== undefined && docker !== undefined);
  await build("--target", "files", "-o", out, context);
  assert.equal(await readFile(join(out, "link"), "utf8"), "word\n");
  await build("--target", "files", "-o", `type=tar,dest=${tar}`, context);
  const listed = await mustRun("tar", ["--numeric-owner", "-tvf", tar]);
  assert.match(listed, /-rwsr-xr-x 7\/8 +5 .* word\n/);
  assert.match(listed, /link -> word\n/);
  const piped = await tryBuild({}, "--target", "files", "-o", "-", context);
  assert.equal(piped.code, 0, piped.stderr);
  assert.match(piped.stdout, /^link\0/m);
  const id = (await tryBuild({}, "-q", "-t", "built", context)).stdout.trim();
  for (const [type, file] of [
    ["oci", oci],
    ["docker", docker],
  ] as const) {
    const idFile = join(folder, `id-${type}`);
    await build("-o", `type=${type},name=again:1,dest=${file}`, "--iidfile", idFile, context);
    assert.equal(await readFile(idFile, "utf8"), id, type);
    assert.match(await said(daemon, "load", "-i", file), /^Loaded image/m);
    assert.equal(await said(daemon, "image", "inspect", "-f", "{{.Id}}", id), id);
    const config = JSON.parse(await mustRun("skopeo", ["inspect", "--config", `${type}-archive:${file}`]));
    assert.deepEqual(config.config.Cmd, ["sh"], type);
  }
  assert.match((await tryBuild({}, "-o", "type=what", context)).stderr, /type/);
});

test("slipway build: a secret is there for its step, and in nothing that is kept", async () => {
  const secret = "an-unlikely-word-4711";
  await writeFile(join(folder, "key"), secret);
  const context = await contextOf({
    Dockerfile: [
      "FROM busybox",
      "RUN --mount=type=secret,id=key wc -c < /run/secrets/key && ! mount | grep -q 'secrets.*rw,.*ext4'",
      "RUN --mount=type=secret,id=env,env=TOKEN test ${#TOKEN} = 21",
      'RUN test ! -e /run/secrets/key && test -z "$TOKEN"',
      "RUN --mount=type=secret,id=none true",
    ].join("\n"),
  });
  const secrets = ["--secret", `id=key,src=${join(folder, "key")}`, "--secret", "id=env,env=GIVEN"];
  const outcome = await tryBuild({ env: { GIVEN: secret } }, ...secrets, "-t", "with-secret", context);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stderr, /\n#\d+ [\d.]+ 21\n/);
  const { roots } = daemon;
  for (const place of [roots.dataRoot, roots.execRoot, `${roots.dataRoot}.log`])
    assert.equal((await runProgram("grep", ["-rlF", secret, place])).stdout, "", "found in it");
  assert.doesNotMatch(await said(daemon, "history", "--no-trunc", "with-secret"), new RegExp(secret));
  const needed = await contextOf({ Dockerfile: "FROM busybox\nRUN --mount=type=secret,id=none,required true\n" });
  assert.match((await tryBuild({}, needed)).stderr, /secret none: not found/);
});

test("slipway build --ssh: ssh-add in a step lists the keys of the agent outside", async () => {
  const socket = join(folder, "agent.sock");
  const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
  try {
    const key = join(folder, "id_ed25519");
    await mustRun("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "a-key-of-tests", "-f", key]);
    for (let left = 100; left > 0 && (await stat(socket).catch(() => undefined)) === undefined; left--)
      await new Promise((wake) => setTimeout(wake, 50));
    await mustRun("ssh-add", ["-q", key], { env: { SSH_AUTH_SOCK: socket } });
    const context = await contextOf({
      Dockerfile:
        'FROM busybox\nCOPY root /\nRUN --mount=type=ssh ssh-add -l && ssh-add -L\nRUN test -z "$SSH_AUTH_SOCK"\n',
    });
    await copyWithLibraries("/usr/bin/ssh-add", join(context, "root"));
    const { code, stderr } = await tryBuild({ env: { SSH_AUTH_SOCK: socket } }, "--ssh", "default", context);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /256 SHA256:\S+ a-key-of-tests \(ED25519\)/);
    assert.match(stderr, /ssh-ed25519 \S+ a-key-of-tests/);
    assert.match((await tryBuild({ env: { SSH_AUTH_SOCK: "" } }, "--no-cache", context)).stderr, /ssh/i);
  } finally {
    agent.kill();
    await once(agent, "exit");
  }
});

/** A program of this machine with the libraries that it is linked with, at the same places below the folder. */
async function copyWithLibraries(program: string, root: string): Promise<void> {
  const libraries = [...(await mustRun("ldd", [program])).matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
  for (const path of [program, ...libraries]) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await copyFile(path, join(root, path));
  }
}

test("slipway build --check: what is wrong or badly written is shown in its place, and nothing is built", async () => {
  const clean = await contextOf({ Dockerfile: "FROM busybox\nRUN exit 1\n" });
  assert.equal((await tryBuild({}, "--check", clean)).stdout, "Check complete, no warnings found.\n");
  const bad = await contextOf({ Dockerfile: "FROM busybox as x\nrun echo\nENV a b\nCMD echo\nCMD echo\n" });
  const { code, stdout } = await tryBuild({}, "--check", bad);
  assert.equal(code, 1);
  for (const rule of [
    "FromAsCasing",
    "ConsistentInstructionCasing",
    "LegacyKeyValueFormat",
    "MultipleInstructionsDisallowed",
  ])
    assert.match(stdout, new RegExp(`WARNING: ${rule} - https://`), rule);
  const broken = await tryBuild({}, "--check", await contextOf({ Dockerfile: "FROM busybox\nRUM x\n" }));
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /Dockerfile:2\n[^]*unknown instruction: RUM/);
});

test("slipway build --verify-reproducible: the same times make the same image; what differs is named", async () => {
  const env = { SOURCE_DATE_EPOCH: "1700000000" };
  const same = await contextOf({ Dockerfile: "FROM busybox\nCOPY a /a\nRUN date > /dev/null; echo x > /x\n", a: "a" });
  const outcome = await tryBuild({ env }, "--verify-reproducible", same);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stdout, /^Reproducible/);
  const random = "FROM busybox\nRUN echo x > /a\nRUN cat /proc/sys/kernel/random/uuid > /etc/number\n";
  const differs = await tryBuild({ env }, "--verify-reproducible", await contextOf({ Dockerfile: random }));
  assert.equal(differs.code, 1);
  assert.match(differs.stderr, /not reproducible: layer 3 of 3 \(.*\): \/etc\/number differs in its contents\n/);
});

test("slipway build: cache mounts are saved to an archive, and filled from it on a machine that begins empty", async () => {
  const context = await contextOf({
    Dockerfile: "FROM busybox\nRUN --mount=type=cache,id=packages,target=/c ls /c; echo new >> /c/list; cat /c/list\n",
  });
  const archive = join(folder, "mount.tar");
  await build("--no-cache", "--cache-mount-to", `packages=${archive}`, context);
  await slipway("builder", "prune", "-af");
  const filled = await build("--no-cache", "--cache-mount-from", `packages=${archive}`, context);
  assert.match(filled, / list\n#\d+ [\d.]+ new\n#\d+ [\d.]+ new\n/);
});

test("slipway build history, builder du, builder prune: what was built is listed, and what nobody needs goes", async () => {
  const context = await contextOf({ Dockerfile: "FROM busybox\nRUN head -c 300000 /dev/urandom > /noise\n" });
  await build("-t", "listed", context);
  const lines = (await slipway("build", "history")).split("\n");
  const line = lines.find((text) => text.includes("listed:latest")) ?? "";
  assert.match(line, /^[0-9a-f]{12} +listed:latest +done +2 \(0 cached\)/);
  const id = line.slice(0, 12);
  assert.equal(JSON.parse(await slipway("build", "history", "inspect", id))[0].Status, "done");
  await slipway("build", "history", "rm", id);
  assert.doesNotMatch(await slipway("build", "history"), new RegExp(id));
  assert.match(await slipway("builder", "du"), /300kB\* .*RUN head -c 300000/);
  await slipway("builder", "prune", "-f");
  assert.match(await build("-t", "listed", context), /CACHED/, "an image has it");
  await said(daemon, "rmi", "listed");
  await slipway("builder", "prune", "-af");
  assert.doesNotMatch(await slipway("builder", "du"), /RUN head/);
  assert.doesNotMatch(await build(context), /CACHED/);
});

test("slipway build: an interrupted one ends with 130, and nothing of it is left", async () => {
  const context = await contextOf({ Dockerfile: "FROM busybox\nRUN echo 'beg''un'; sleep 654\n" });
  const traces = new RegExp(`${daemon.instance}/`);
  const before = await takeInventory(traces);
  const [node = "", program = ""] = slipwayProgram;
  const env = { ...process.env, SLIPWAY_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: folder };
  const child = spawn(node, [program, "build", context], { env, stdio: ["ignore", "ignore", "pipe"] });
  let told = "";
  for await (const bytes of child.stderr) {
    told += String(bytes);
    if (told.includes("begun")) break;
  }
  child.kill("SIGINT");
  const askedMs = performance.now();
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 130, told);
  assert.deepEqual(await settle(before, traces), []);
  assert.ok(performance.now() - askedMs < 3000);
});
