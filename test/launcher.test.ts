import assert from "node:assert/strict";
import { chmod, cp, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { repositoryRoot } from "#fixtures/cache";
import { mustRun, runProgram } from "#fixtures/program";

/** A clone of the working tree with a space in its path; its dependencies are those of this one. */
let clone = "";

before(async () => {
  const folder = await mkdtemp("/var/tmp/slipway-clone-");
  await chmod(folder, 0o755);
  clone = join(folder, "a clone");
  const parts = [
    "slipway",
    "bin",
    "src",
    "shim",
    "hello",
    "tools",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
  ];
  for (const part of parts)
    await cp(join(repositoryRoot, part), join(clone, part), { recursive: true, preserveTimestamps: true });
  await symlink(join(repositoryRoot, "node_modules"), join(clone, "node_modules"));
});

after(async () => {
  await rm(join(clone, ".."), { recursive: true, force: true });
});

/** Runs the launcher as a fresh login would: nothing of this process' environment. */
async function launch(...args: readonly string[]) {
  return await runProgram("env", ["-i", "HOME=/root", "PATH=/usr/bin:/bin", join(clone, "slipway"), ...args]);
}

test("slipway: without root and not yet built, names the exact command", async () => {
  const { code, stderr, stdout } = await runProgram("setpriv", [
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    join(clone, "slipway"),
    "--version",
  ]);
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /needs root/);
  assert.ok(stderr.includes(`sudo ${join(clone, "slipway")} version`));
});

test("slipway: two first starts at once both answer, and the work is done once", async () => {
  const [one, other] = await Promise.all([launch("--version"), launch("--version")]);
  assert.deepEqual([one.code, other.code], [0, 0], one.stderr + other.stderr);
  assert.match(one.stdout, /^Slipway version \d/);
  assert.equal(one.stdout, other.stdout);
  const said = one.stderr + other.stderr;
  assert.equal(said.match(/building the shim/g)?.length, 1, said);
  assert.equal(said.match(/building the program/g)?.length, 1, said);
});

test("slipway: says nothing and builds nothing when all is there", async () => {
  const before = await readFile(join(clone, "build/slipway/slipway.js"), "utf8");
  const { code, stderr } = await launch("--version");
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.equal(await readFile(join(clone, "build/slipway/slipway.js"), "utf8"), before);
});

test("slipway: builds again only the part whose source changed", async () => {
  const later = new Date(Date.now() + 1000);
  await utimes(join(clone, "hello/main.c"), later, later);
  const { code, stderr } = await launch("--version");
  assert.equal(code, 0);
  assert.equal(stderr, "slipway: building the hello image\n");
  await utimes(join(clone, "hello/main.c"), 1, 1);
  await mustRun(join(clone, "slipway"), ["--version"]);
});

test("slipway: shows the compiler's words when a build fails, and recovers", async () => {
  const source = join(clone, "hello/main.c");
  const good = await readFile(source, "utf8");
  await writeFile(source, `${good}\nbroken\n`);
  const failed = await launch("--version");
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /error: .*\n[^]*building the hello image failed/);
  await writeFile(source, good);
  assert.equal((await launch("--version")).code, 0);
});

test("slipway: works through a symbolic link and keeps arguments as they are", async () => {
  const link = join(clone, "..", "link");
  await symlink(join(clone, "slipway"), link);
  const { stdout } = await runProgram(link, ["--version"]);
  assert.match(stdout, /^Slipway version \d/);
});

test("setup: reads what is missing from the list of packages, for each distribution", async () => {
  const script = `here=$1; . "$here/say.sh"; . "$here/packages.sh"; PATH=/nonexistent; missing_packages run "$2"`;
  const names = async (system: string): Promise<string[]> => {
    const list = await mustRun("sh", ["-c", script, "sh", join(repositoryRoot, "tools/setup"), system]);
    return list.trim().split(" ");
  };
  assert.ok((await names("debian")).includes("crun"));
  assert.ok((await names("debian")).includes("iproute2"));
  assert.equal((await names("debian")).includes("mmdebstrap"), false);
  assert.ok((await names("fedora")).includes("iproute"));
  assert.equal((await names("alpine")).includes("-"), false);
});
