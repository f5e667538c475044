import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import type { Outcome } from "#fixtures/program";

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

async function contextOf(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const context = join(folder, name);
  await mkdir(context);
  for (const [path, text] of Object.entries(files)) await writeFile(join(context, path), text);
  return context;
}

async function slipway(...args: readonly string[]): Promise<Outcome> {
  return await daemon.slipwayWith({ env: { DOCKER_CONFIG: folder, TOKEN: "hush" } }, ...args);
}

/** What it shows on stderr; it must end well. */
async function built(...args: readonly string[]): Promise<string> {
  const { code, stderr } = await slipway("build", ...args);
  assert.equal(code, 0, stderr);
  return stderr;
}

test("slipway build: a folder where it is, a secret that leaves nothing, cached the second time, remembered", async () => {
  const context = await contextOf("secret", {
    Dockerfile:
      "FROM busybox\nCOPY note /note\nRUN --mount=type=secret,id=token wc -c < /run/secrets/token > /size; ls /run/secrets\n",
    note: "noted",
  });
  const first = await built("-t", "secret:1", "--secret", "id=token,env=TOKEN", context);
  assert.match(first, /#\d+ \[3\/3\] RUN --mount=type=secret/);
  assert.doesNotMatch(first, /hush/);
  const again = await built("-t", "secret:1", "--secret", "id=token,env=TOKEN", context);
  assert.match(again, /RUN --mount=type=secret.*\n#\d+ CACHED/);
  assert.equal((await slipway("run", "--rm", "secret:1", "cat", "/note", "/size")).stdout.trim(), "noted4");
  assert.match((await slipway("build", "history")).stdout, /secret.* done +\d+ \(\d+ cached\)/);
  assert.match((await slipway("builder", "du")).stdout, /RUN --mount=type=secret/);
});

test("slipway build: a failure shows its output and its place", async () => {
  const context = await contextOf("fails", { Dockerfile: "FROM busybox\nRUN echo why; exit 3\n" });
  const { code, stderr } = await slipway("build", context);
  assert.equal(code, 1);
  assert.match(stderr, /\n > \[2\/2\] RUN echo why; exit 3:\nwhy\n------\nDockerfile:2\n/);
  assert.match(stderr, /ERROR: failed to build: .*non-zero code: 3\n$/);
});

test("slipway build: context on stdin and by archive, another context by name, a Dockerfile of elsewhere", async () => {
  const library = await contextOf("library", { part: "from the library" });
  const context = await contextOf("main", { part: "from here" });
  const file = join(folder, "elsewhere.Dockerfile");
  await writeFile(file, "FROM busybox\nCOPY part /own\nCOPY --from=lib part /lib\n");
  await built("-t", "two:1", "-f", file, "--build-context", `lib=${library}`, context);
  assert.equal((await slipway("run", "--rm", "two:1", "cat", "/own", "/lib")).stdout, "from herefrom the library");
});

test("slipway build --output: the files of a stage, in a folder and as a tar", async () => {
  const context = await contextOf("out", { Dockerfile: "FROM scratch\nCOPY tool /bin/tool\n", tool: "the tool" });
  const out = join(folder, "files");
  await built("-o", out, "-o", `type=tar,dest=${out}.tar`, context);
  assert.equal(await readFile(join(out, "bin/tool"), "utf8"), "the tool");
  assert.match((await readFile(`${out}.tar`)).toString("latin1"), /the tool/);
});

test("slipway build --explain, --check: why a step ran, and what is bad style", async () => {
  const context = await contextOf("why", { Dockerfile: "FROM busybox\nCOPY a /a\n", a: "1" });
  await built(context);
  await writeFile(join(context, "a"), "2");
  assert.match(await built("--explain", context), /#\d+ because: /);
  await writeFile(join(context, "Dockerfile"), "FROM busybox as Small\nRUN true\n");
  const { code, stdout } = await slipway("build", "--check", context);
  assert.equal(code, 1);
  assert.match(stdout, /FromAsCasing/);
});

test("slipway build --verify-reproducible: says yes, or the file that differs", async () => {
  const context = await contextOf("same", {
    Dockerfile: "FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /random\n",
  });
  const { code, stderr } = await slipway("build", "--verify-reproducible", context);
  assert.equal(code, 1);
  assert.match(stderr, /ERROR: not reproducible: layer \d+ of \d+ .*: \/random differs in its .*contents/);
});
