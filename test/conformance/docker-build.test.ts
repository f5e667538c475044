import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { until } from "#fixtures/collectors";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { dockerProgram } from "#fixtures/docker";
import { said } from "#fixtures/expect";
import { folderOf } from "#fixtures/files";
import { startGitDaemon } from "#fixtures/git-daemon";
import { leftOver, settle, takeInventory } from "#fixtures/inventory";
import { mustRun, type Outcome, type ProgramOptions } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;
before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-docker-build-"));
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A folder of the files. */
async function contextOf(files: Readonly<Record<string, string>>): Promise<string> {
  return await folderOf(folder, files);
}

const classic = { DOCKER_BUILDKIT: "0" };

/** `docker build`, as it is typed. */
async function tryBuild(options: ProgramOptions, ...args: readonly string[]): Promise<Outcome> {
  return await daemon.dockerWith({ ...options, env: { ...classic, ...options.env } }, "build", ...args);
}

/** What a build that must succeed says. */
async function build(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await tryBuild({}, ...args);
  assert.equal(code, 0, `docker build ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

/** A build of a Dockerfile in a context without other files. */
async function buildText(dockerfile: string, ...args: readonly string[]): Promise<string> {
  return await build(...args, await contextOf({ Dockerfile: dockerfile }));
}

async function contentOf(image: string, path: string): Promise<string> {
  return await said(daemon, "run", "--rm", "--network", "none", image, "cat", path);
}

const simple = "FROM busybox\nCOPY . /files\nRUN ls /files > /list\n";

test("docker build: a folder, without what .dockerignore leaves out; the second time from the cache", async () => {
  const context = await contextOf({
    Dockerfile: simple,
    a: "a",
    "sub/b": "b",
    "c.log": "c",
    ".dockerignore": "*.log\n",
  });
  const first = await build("-t", "folder", context);
  assert.match(
    first,
    /Step 1\/3 : FROM busybox\n ---> [0-9a-f]{12}\nStep 2\/3 : COPY \. \/files\n ---> [0-9a-f]{12}\n/,
  );
  assert.match(
    first,
    /Step 3\/3 : RUN ls [^\n]*\n ---> Running in [0-9a-f]{12}\n ---> Removed intermediate container /,
  );
  assert.match(first, /\nSuccessfully built [0-9a-f]{12}\nSuccessfully tagged folder:latest\n$/);
  assert.equal(await contentOf("folder", "/list"), "Dockerfile\na\nsub");
  const second = await build("-t", "folder", context);
  assert.equal([...second.matchAll(/ ---> Using cache\n/g)].length, 2, second);
  assert.equal([...(await build("--no-cache", context)).matchAll(/Using cache/g)].length, 0);
});

test("docker build -: a tar, a packed one, a Dockerfile alone", async () => {
  const context = await contextOf({ Dockerfile: simple, a: "a" });
  for (const flag of ["", "z", "j", "J"]) {
    const file = join(folder, `context${flag}.tar`);
    await mustRun("tar", [`-c${flag}f`, file, "-C", context, "."]);
    const { code, stderr } = await tryBuild({ input: await readFile(file) }, "-t", `archive${flag.toLowerCase()}`, "-");
    assert.equal(code, 0, stderr);
    assert.equal(await contentOf(`archive${flag.toLowerCase()}`, "/list"), "Dockerfile\na", flag);
  }
  const alone = await tryBuild({ input: "FROM busybox\nRUN echo alone > /word\n" }, "-t", "alone", "-");
  assert.equal(alone.code, 0, alone.stderr);
  assert.equal(await contentOf("alone", "/word"), "alone");
});

test("docker build -f: in the context, outside of it, on stdin", async () => {
  const other = "FROM busybox\nCOPY a /a\nRUN echo other > /word\n";
  const context = await contextOf({
    Dockerfile: "FROM nothing:here\n",
    "sub/Other": other,
    a: "text behind no border",
  });
  await build("-t", "inside", "-f", join(context, "sub/Other"), context);
  assert.equal(await contentOf("inside", "/word"), "other");
  const outside = join(folder, "Outside");
  await writeFile(outside, other.replace("other", "outside"));
  await build("-t", "outside", "-f", outside, context);
  assert.equal(await contentOf("outside", "/word"), "outside");
  const { code, stderr } = await tryBuild(
    { input: other.replace("other", "stdin") },
    "-t",
    "stdin",
    "-f",
    "-",
    context,
  );
  assert.equal(code, 0, stderr);
  assert.equal(await contentOf("stdin", "/word"), "stdin");
  assert.equal(await contentOf("stdin", "/a"), "text behind no border");
});

test("docker build: arguments, labels, several names, a target, an id's file, quiet", async () => {
  const context = await contextOf({
    Dockerfile: [
      "ARG BASE=nothing:here",
      "FROM $BASE AS first",
      "ARG WORD=none BARE ABSENT=default",
      "LABEL of=file both=file",
      "RUN echo $WORD $BARE $ABSENT > /word",
      "FROM first AS second",
      "RUN exit 3",
    ].join("\n"),
  });
  const idFile = join(folder, "id");
  const args = ["BASE=busybox", "WORD=given", "BARE", "ABSENT", "NOBODY=1"].flatMap((arg) => ["--build-arg", arg]);
  const { code, stdout, stderr } = await tryBuild(
    { env: { BARE: "of the environment" } },
    ...args,
    ...["--label", "of.flag=x", "--label", "both=flag", "-t", "many", "-t", "many:2", "-t", "other/many:3"],
    ...["--target", "first", "--pull=false", "--iidfile", idFile, context],
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /\[Warning\] One or more build-args \[NOBODY\] were not consumed/);
  assert.match(
    stdout,
    /Successfully tagged many:latest\nSuccessfully tagged many:2\nSuccessfully tagged other\/many:3\n$/,
  );
  assert.equal(await contentOf("other/many:3", "/word"), "given of the environment default");
  const [seen] = JSON.parse(await said(daemon, "image", "inspect", "many:2"));
  assert.equal(seen.Id, await readFile(idFile, "utf8"));
  assert.deepEqual(seen.Config.Labels, { of: "file", "of.flag": "x", both: "flag" });
  const quiet = await build("-q", ...args.slice(0, 2), "--target", "FIRST", context);
  assert.match(quiet, /^sha256:[0-9a-f]{64}\n$/);
});

test("docker build: each RUN has the network, hosts, memory, shared memory, limits and CPUs that were asked for", async () => {
  const show =
    "df -k /dev/shm | tail -1; ulimit -n; ls /sys/class/net; cat /etc/hosts; nproc; cat /sys/fs/cgroup/memory.max";
  const file = `FROM busybox\nRUN (${show}; cat /sys/fs/cgroup/memory/memory.limit_in_bytes) 2>/dev/null; true\n`;
  const plain = await buildText(file);
  assert.match(plain, /\nshm +65536 /);
  assert.match(plain, /\neth0\n/);
  const limited = await buildText(
    file,
    ...["--network", "none", "--add-host", "far.example:192.0.2.9", "--memory", "96m", "--shm-size", "8m"],
    ...["--ulimit", "nofile=77:78", "--cpuset-cpus", "0", "--cpu-shares", "64", "--memory-swap", "96m"],
  );
  assert.match(limited, /\nshm +8192 .*\n77\nlo\n/);
  assert.match(limited, /192\.0\.2\.9\tfar\.example\n1\n/);
  assert.match(limited, /\n100663296\n/);
  const host = await buildText(`FROM busybox\nRUN cat /proc/net/dev | wc -l\n`, "--network", "host");
  const lines = (await readFile("/proc/net/dev", "utf8")).trimEnd().split("\n").length;
  assert.ok(Number(/\n(\d+)\n/.exec(host)?.[1]) >= lines - 2, host);
});

test("docker build: a git repository, at a branch and in a folder; by the daemon too", async () => {
  await using git = await startGitDaemon();
  await git.repository("app.git", { Dockerfile: "FROM busybox\nCOPY word /\n", word: "top", "sub/Dockerfile": simple });
  await build("-t", "of-git", `${git.url}/app.git#main`);
  assert.equal(await contentOf("of-git", "/word"), "top");
  await build("-t", "of-git", `${git.url}/app.git#main:sub`);
  assert.equal(await contentOf("of-git", "/list"), "Dockerfile");
  const remote = encodeURIComponent(`${git.url}/app.git#main:sub`);
  const { status, text } = await daemon.api("POST", `/build?remote=${remote}&t=fetched`);
  assert.equal(status, 200, text);
  assert.match(text, /Successfully tagged fetched:latest/);
  assert.equal(await contentOf("fetched", "/list"), "Dockerfile");
});

const mistakes: readonly (readonly [string, string, number, RegExp])[] = [
  [
    "a command's code",
    "FROM busybox\nRUN echo why >&2; exit 7\n",
    7,
    /The command '\/bin\/sh -c echo why >&2; exit 7' returned a non-zero code: 7/,
  ],
  ["a program that is not there", 'FROM busybox\nRUN ["/nothing"]\n', 127, /\/nothing.*(?:not found|no such file)/i],
  [
    "an unknown instruction",
    "FROM busybox\nRUM x\n",
    1,
    /dockerfile parse error on line 2: unknown instruction: RUM \(did you mean RUN\?\)/,
  ],
  ["nothing in it", "# only words\n", 1, /file with no instructions/],
  ["no FROM", "RUN x\n", 1, /no build stage in current context/],
  ["a source that is not there", "FROM busybox\nCOPY nothing /x\n", 1, /"\/nothing": not found/],
  ["a source above the context", "FROM busybox\nCOPY ../../../etc/passwd /x\n", 1, /"\/etc\/passwd": not found/],
  ["a base that is not there", "FROM 127.0.0.1:9/nothing:here\n", 1, /127\.0\.0\.1:9/],
  [
    "stages in a ring",
    "FROM busybox AS a\nCOPY --from=b / /\nFROM busybox AS b\nCOPY --from=a / /\n",
    1,
    /circular dependency detected on stage: b/,
  ],
  ["a stage that is itself", "FROM busybox AS a\nCOPY --from=a / /\n", 1, /circular|invalid|a/],
  [
    "symlinks in a ring",
    "FROM busybox AS a\nRUN ln -s b /a && ln -s a /b\nFROM scratch\nCOPY --from=a /a /x\n",
    1,
    /too many links/,
  ],
  ["an unknown flag", "FROM busybox\nCOPY --chwon=1 a b\n", 1, /unknown flag: --chwon/],
];

test("docker build: what is wrong is told on stderr, with the code that Docker's client gives", async () => {
  for (const [what, dockerfile, expected, words] of mistakes) {
    const { code, stderr, stdout } = await tryBuild({}, await contextOf({ Dockerfile: dockerfile }));
    assert.deepEqual({ what, code }, { what, code: expected }, stderr + stdout);
    assert.match(stderr + stdout, words, what);
  }
  const context = await contextOf({ Dockerfile: simple });
  assert.match((await tryBuild({}, "--target", "nope", context)).stderr, /target stage "nope" could not be found/);
  assert.match(
    (await tryBuild({}, "-q", await contextOf({ Dockerfile: "FROM busybox\nRUN echo why; exit 4\n" }))).stderr,
    /why\n[^]*non-zero code: 4/,
  );
  assert.deepEqual((await daemon.api("GET", "/containers/json?all=1")).body, []);
});

test("docker build: a symlink in COPY --from is resolved in its stage, never on the machine", async () => {
  const dockerfile = [
    "FROM busybox AS a",
    "RUN ln -s /etc/passwd /p && ln -s ../../../../../../../../etc /e && ln -s /proc/1/root/etc/hostname /h",
    "FROM busybox",
    "COPY --from=a /p /e/group /got/",
  ].join("\n");
  await buildText(dockerfile, "-t", "links");
  assert.match(await contentOf("links", "/got/p"), /^root:x:0:0:root:\/root:\/bin\/sh\napp:x:1000/);
  assert.match(await contentOf("links", "/got/group"), /^root:x:0:\nstaff/);
  const { stderr } = await tryBuild({}, await contextOf({ Dockerfile: `${dockerfile}\nCOPY --from=a /h /h\n` }));
  assert.match(stderr, /not found/);
});

test("docker build: ^C ends the client and the build, and nothing of it is left", async () => {
  const context = await contextOf({ Dockerfile: "FROM busybox\nRUN echo begun; sleep 654\n" });
  const traces = new RegExp(`${daemon.roots.execRoot}|${daemon.roots.dataRoot}|${daemon.instance}/`);
  const before = await takeInventory(traces);
  const env = { ...process.env, ...classic, DOCKER_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: folder };
  const child = spawn(await dockerProgram(), ["build", context], { env, stdio: ["ignore", "pipe", "ignore"] });
  let told = "";
  child.stdout.on("data", (bytes: Buffer) => (told += bytes.toString()));
  await until(
    () => told.includes("\nbegun\n"),
    () => told,
  );
  assert.notDeepEqual(leftOver(before, await takeInventory(traces)), [], "the step is to be seen while it runs");
  child.kill("SIGINT");
  const askedMs = performance.now();
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 130);
  assert.deepEqual(await settle(before, traces), []);
  assert.ok(performance.now() - askedMs < 3000, "it takes a second");
});

test("docker build: names move to the new image; two builds at once take nothing from each other", async () => {
  const idOf = async (name: string): Promise<string> => await said(daemon, "image", "inspect", "-f", "{{.Id}}", name);
  const first = await contextOf({ Dockerfile: "FROM busybox\nRUN sleep 1; echo 1 > /word\n" });
  const second = await contextOf({ Dockerfile: "FROM busybox\nRUN sleep 1; echo 2 > /word\n" });
  await Promise.all([build("-t", "left", first), build("-t", "right", second), build("-t", "left-too", first)]);
  assert.deepEqual([await contentOf("left", "/word"), await contentOf("right", "/word")], ["1", "2"]);
  assert.equal(await idOf("left"), await idOf("left-too"), "the same ingredients are the same image");
  const old = await idOf("left");
  await build("-t", "left", second);
  assert.equal(await idOf("left"), await idOf("right"));
  assert.equal(await idOf("left-too"), old);
});
