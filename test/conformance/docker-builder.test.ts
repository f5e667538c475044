import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
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
