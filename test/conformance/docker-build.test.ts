import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type DockerOutcome, startBuildBed } from "./build-bed.ts";

let bed: Awaited<ReturnType<typeof startBuildBed>>;
let folder: string;

before(async () => {
  bed = await startBuildBed();
  folder = await mkdtemp(join(tmpdir(), "slipway-docker-build-"));
});
after(async () => {
  await bed[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A context of those files; answers its folder. */
async function contextOf(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const context = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(context, path, ".."), { recursive: true });
    await writeFile(join(context, path), text);
  }
  return context;
}

async function docker(...args: readonly string[]): Promise<DockerOutcome> {
  return await bed.docker(args);
}

async function said(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await docker(...args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

test("docker build: instructions become an image that runs, steps are told, the second time all is cached", async () => {
  const context = await contextOf("app", {
    Dockerfile:
      'FROM busybox\nARG GREETING=hello\nENV WHO=world\nWORKDIR /app\nCOPY text .\nRUN echo $GREETING $WHO >> text\nUSER 1000\nCMD ["cat", "text"]\n',
    text: "from the context\n",
  });
  const iid = join(folder, "iid");
  const first = await said(
    "build",
    "-t",
    "app:1",
    "--build-arg",
    "GREETING=good day",
    "--label",
    "a=b",
    "--iidfile",
    iid,
    context,
  );
  assert.match(first, /^Step 1\/8 : FROM busybox$/m);
  assert.match(first, /^Step 6\/8 : RUN echo \$GREETING \$WHO >> text\n ---> Running in [0-9a-f]{12}$/m);
  const id = await readFile(iid, "utf8");
  assert.match(first, new RegExp(`\nSuccessfully built ${id.slice(7, 19)}\nSuccessfully tagged app:1$`));
  assert.equal(await said("run", "--rm", "app:1"), "from the context\ngood day world");
  assert.equal(
    await said(
      "image",
      "inspect",
      "-f",
      "{{.Id}} {{.Config.User}} {{.Config.WorkingDir}} {{.Config.Labels.a}}",
      "app:1",
    ),
    `${id} 1000 /app b`,
  );
  const second = await said("build", "-t", "app:2", "--build-arg", "GREETING=good day", "--label", "a=b", context);
  assert.match(second, /Step 6\/8 : RUN [^\n]*\n ---> Using cache\n/);
  assert.equal(await said("image", "inspect", "-f", "{{.Id}}", "app:2"), id);
});

test("docker build: a Dockerfile on stdin, -f elsewhere, a target, .dockerignore", async () => {
  const { code, stdout, stderr } = await bed.docker(["build", "-q", "-"], "FROM busybox\nRUN echo stdin > /from\n");
  assert.equal(code, 0, stderr);
  assert.equal(await said("run", "--rm", stdout.trim(), "cat", "/from"), "stdin");
  const context = await contextOf("target", {
    "deploy/Dockerfile": "FROM busybox AS first\nCOPY . /all\nFROM first AS second\nRUN exit 1\n",
    ".dockerignore": "*.log\n!kept.log\n",
    "a.log": "",
    "kept.log": "",
  });
  const id = await said("build", "-q", "-f", join(context, "deploy/Dockerfile"), "--target", "first", context);
  assert.equal(await said("run", "--rm", id, "sh", "-c", "cd /all; ls *.log"), "kept.log");
});

test("docker build: a failing command ends with its code; a wrong Dockerfile is refused", async () => {
  const context = await contextOf("fails", { Dockerfile: "FROM busybox\nRUN echo why >&2; exit 7\n" });
  const failed = await docker("build", context);
  assert.equal(failed.code, 7, failed.stderr);
  assert.match(failed.stdout + failed.stderr, /why/);
  assert.match(failed.stderr, /The command '\/bin\/sh -c echo why >&2; exit 7' returned a non-zero code: 7/);
  const wrong = await docker("build", await contextOf("wrong", { Dockerfile: "FORM busybox\n" }));
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /unknown instruction: FORM/i);
  const missing = await bed.docker(["build", "-"], "FROM nothing-here:1\n");
  assert.notEqual(missing.code, 0);
});

test("docker build: unused build arguments are warned of", async () => {
  const context = await contextOf("unused", { Dockerfile: "FROM busybox\nRUN true\n" });
  const { code, stdout, stderr } = await docker("build", "--build-arg", "NOBODY=1", context);
  assert.equal(code, 0, stderr);
  assert.match(stdout + stderr, /\[Warning\] One or more build-args \[NOBODY\] were not consumed/);
});

test("docker builder prune, docker system df: the cache is counted, and goes", async () => {
  await said(
    "build",
    "-q",
    await contextOf("cache", { Dockerfile: "FROM busybox\nRUN head -c 1000000 /dev/zero > /big\n" }),
  );
  assert.match(await said("system", "df"), /Build Cache +[1-9]/);
  assert.match(await said("builder", "prune", "-af"), /Total reclaimed space: /);
  assert.match(await said("system", "df"), /Build Cache +0 +0 +0B/);
});
