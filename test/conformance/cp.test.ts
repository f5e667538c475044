import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { lstat, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { slipwayProgram, startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { mustRun, type Outcome } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;

/** The same tree for every case: a folder, a file, and links of each kind. */
const treeScript = `mkdir -p $1/dir/has $1/other && cd $1 && echo file >file && echo old >dir/old && ln -s dir link
ln -s file flink && ln -s nowhere dangling && echo b >other/b && ln -s other olink && ln file hard && echo a >a`;

before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-cp-"));
  await mustRun("sh", ["-c", treeScript, "sh", join(folder, "source")]);
  await said(daemon, "run", "-d", "--name", "running", "busybox", "sleep", "100000");
  await said(daemon, "create", "--name", "stopped", "busybox", "true");
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

type Client = "docker" | "slipway";
type Case = readonly [options: string, source: string, target: string, expected: string | RegExp];

/** What is copied to where, and what is there then that was not before (`=` content, `>` link), or the words of the refusal. */
const allCases: readonly Case[] = [
  ["", "a", "dir", "dir/a=a"],
  ["", "a", "dir/", "dir/a=a"],
  ["", "a", "dir/.", "dir/a=a"],
  ["", "a", "file", "file=a"],
  ["", "a", "new", "new=a"],
  ["", "a", "new/", /no such directory/],
  ["", "a", "nodir/new", /Could not find the file|directory ".*" does not exist|no such file or directory/],
  ["", "a", "link", "dir/a=a"],
  ["", "a", "link/new", "dir/new=a"],
  ["", "a", "flink", "file=a"],
  ["", "a", "dangling", "nowhere=a"],
  ["", "a", "dir/has", "dir/has/a=a"],
  ["", "other", "dir", "dir/other/ dir/other/b=b"],
  ["", "other/", "dir", "dir/other/ dir/other/b=b"],
  ["", "other", "new", "new/ new/b=b"],
  ["", "other", "new/", "new/ new/b=b"],
  ["", "other/.", "dir", "dir/b=b"],
  ["", "other/.", "new", "new/ new/b=b"],
  ["", "other", "file", /cannot copy directory/],
  ["", "olink", "dir", "dir/olink>other"],
  ["", "olink/", "dir", "dir/olink/ dir/olink/b=b"],
  ["-L", "olink", "dir", "dir/olink/ dir/olink/b=b"],
  ["-L", "olink", "new", "new/ new/b=b"],
  ["", "flink", "dir", "dir/flink>file"],
  ["-L", "flink", "dir", "dir/flink=file"],
  ["", "flink", "new", "new>file"],
  ["", "absent", "dir", /Could not find the file|no such file or directory/],
];

/** A stopped container differs in how its tree is reached, not in what paths mean. */
const fewCases = allCases.filter((_, index) => index % 4 === 0);

for (const client of ["docker", "slipway"] as const) {
  for (const container of ["running", "stopped"]) {
    const cases = container === "running" ? allCases : fewCases;
    test(`${client} cp into a ${container} container: destinations, slashes and links`, async () => {
      const wrong = [];
      for (const [index, one] of cases.entries())
        wrong.push(await intoCase(client, container, one, `/in-${client}-${index}`));
      assert.deepEqual(wrong.filter(Boolean), []);
    });
    test(`${client} cp out of a ${container} container: destinations, slashes and links`, async () => {
      await pipeIn(container, join(folder, "source"), "/source");
      const wrong = [];
      for (const one of cases) wrong.push(await outCase(client, container, one));
      assert.deepEqual(wrong.filter(Boolean), []);
    });
  }
}

async function intoCase(client: Client, container: string, one: Case, work: string): Promise<string | undefined> {
  const [options, source, target] = one;
  await pipeIn(container, join(folder, "source"), work);
  const prior = await listIn(container, work);
  const args = [...options.split(" ").filter(Boolean), join(folder, "source", source).concat(ending(source))];
  const outcome = await daemon[client]("cp", ...args, `${container}:${work}/${target}`);
  return judge(one, outcome, prior, await listIn(container, work));
}

async function outCase(client: Client, container: string, one: Case): Promise<string | undefined> {
  const [options, source, target] = one;
  const work = await mkdtemp(join(folder, "out-"));
  await mustRun("sh", ["-c", treeScript, "sh", work]);
  const prior = await listHere(work);
  const args = [...options.split(" ").filter(Boolean), `${container}:/source/${source}`];
  const outcome = await daemon[client]("cp", ...args, `${work}/${target}`);
  return judge(one, outcome, prior, await listHere(work));
}

/** What went otherwise than the case says; undefined when nothing did. */
function judge(one: Case, outcome: Outcome, prior: readonly string[], now: readonly string[]): string | undefined {
  const expected = one[3];
  const added = now.filter((line) => !prior.includes(line)).join(" ");
  const isRight =
    typeof expected === "string"
      ? outcome.code === 0 && added === expected
      : outcome.code !== 0 && expected.test(outcome.stderr) && added === "";
  return isRight ? undefined : `${one.join(" | ")}: ${added} ${outcome.code} ${outcome.stderr}`;
}

/** join() takes a trailing slash or dot away. */
function ending(path: string): string {
  return path.endsWith("/.") ? "/." : "";
}

/** Puts a folder of this machine into a container under another name, by standard input. */
async function pipeIn(container: string, from: string, to: string): Promise<void> {
  const tar = join(folder, "pipe.tar");
  await mustRun("tar", ["-C", from, `--transform=s,^\\.,${to.slice(1)},S`, "-cf", tar, "."]);
  const { code, stderr } = await daemon.dockerWith({ input: await readFile(tar) }, "cp", "-", `${container}:/`);
  assert.equal(code, 0, stderr);
}

async function listIn(container: string, path: string): Promise<string[]> {
  const target = await mkdtemp(join(folder, "list-"));
  const command = 'curl -sf --unix-socket "$1" "http://x/containers/$2/archive?path=$3" | tar -xf - -C "$4"';
  await mustRun("sh", ["-c", command, "sh", daemon.socket, container, `${path}/.`, target]);
  const list = await listHere(target);
  await rm(target, { recursive: true });
  return list;
}

async function listHere(top: string, under = ""): Promise<string[]> {
  const lines: string[] = [];
  for (const name of (await readdir(join(top, under))).sort()) {
    const path = join(under, name);
    const facts = await lstat(join(top, path));
    if (facts.isDirectory()) lines.push(`${path}/`, ...(await listHere(top, path)));
    else if (facts.isSymbolicLink()) lines.push(`${path}>${await readlink(join(top, path))}`);
    else lines.push(`${path}=${(await readFile(join(top, path), "utf8")).trim()}`);
  }
  return lines;
}

test("cp -: a tar on stdin and stdout, by both clients", async () => {
  const tar = join(folder, "one.tar");
  await mustRun("tar", ["-C", join(folder, "source"), "-cf", tar, "file", "dir"]);
  for (const client of ["dockerWith", "slipwayWith"] as const) {
    const input = await readFile(tar);
    const put = await daemon[client]({ input }, "cp", "-", "running:/home");
    assert.equal(put.code, 0, put.stderr);
    const got = await daemon[client]({}, "cp", "running:/home/dir/old", "-");
    assert.match(got.stdout, /^[^]*old\0[^]*ustar[^]*old\n/);
    const refused = await daemon[client]({ input }, "cp", "-", "running:/home/file");
    assert.match(refused.stderr, /destination "running:\/home\/file" must be a directory/);
    for (const args of [
      ["a", "b"],
      ["running:/a", "stopped:/b"],
    ])
      assert.notEqual((await daemon[client]({}, "cp", ...args)).code, 0);
  }
});

test("cp: on a terminal both clients say what was copied, with -q nothing", async () => {
  const source = join(folder, "source/a");
  const [node = "", program = ""] = slipwayProgram;
  for (const [host, command] of [
    ["DOCKER_HOST", "docker cp"],
    ["SLIPWAY_HOST", `${node} ${program} cp`],
  ] as const) {
    const run = async (flags: string): Promise<string> => {
      const line = `${host}=unix://${daemon.socket} ${command} ${flags} ${source} running:/tmp/shown`;
      return await mustRun("script", ["-qec", line, "/dev/null"]);
    };
    assert.match(await run(""), /Successfully copied [0-9.]+kB to running:\/tmp\/shown/);
    assert.equal(await run("-q"), "");
  }
});

test("export: the root filesystem without mounts, running or stopped, in stable order; it imports again", async () => {
  const volume = await mkdtemp(join(folder, "volume-"));
  await writeFile(join(volume, "of-the-volume"), "x");
  const flags = ["-v", `${volume}:/volume`, "--tmpfs", "/memory"];
  const script = "echo kept >/kept; echo gone >/memory/gone; rm /etc/group; echo ready; exec sleep 100000";
  await said(daemon, "run", "-d", "--name", "exported", ...flags, "busybox", "sh", "-c", script);
  while ((await said(daemon, "logs", "exported")) !== "ready");
  const tar = join(folder, "exported.tar");
  await said(daemon, "export", "-o", tar, "exported");
  const names = (await mustRun("tar", ["tf", tar])).split("\n");
  for (const name of ["kept", "etc/passwd", "bin/busybox", "memory/", "volume/", "proc/"])
    assert.ok(names.includes(name), name);
  for (const name of ["etc/group", "memory/gone", "volume/of-the-volume", "proc/1/"])
    assert.ok(!names.includes(name), name);
  await said(daemon, "stop", "-t", "0", "exported");
  const again = join(folder, "again.tar");
  assert.equal((await daemon.slipway("export", "-o", again, "exported")).code, 0);
  assert.deepEqual((await mustRun("tar", ["tf", again])).split("\n"), names);
  await said(daemon, "import", again, "exported:1");
  assert.equal(await said(daemon, "run", "--rm", "exported:1", "/bin/cat", "/kept"), "kept");
  await said(daemon, "rm", "exported");
});

test("slipway commit: as docker's", async () => {
  await said(daemon, "run", "--name", "to-commit", "busybox", "sh", "-c", "echo made >/made");
  const args = ["-m", "why", "-a", "Ana", "-c", "CMD cat /made", "-p=false", "to-commit", "committed:1"];
  const { code, stdout, stderr } = await daemon.slipway("commit", ...args);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim(), await said(daemon, "image", "inspect", "-f", "{{.Id}}", "committed:1"));
  assert.equal(await said(daemon, "run", "--rm", "committed:1"), "made");
});

test("cp -a: what is copied in becomes the container user's", async () => {
  await said(daemon, "create", "--name", "owned", "-u", "app", "busybox", "sleep", "1");
  for (const [client, name] of [
    ["docker", "by-docker"],
    ["slipway", "by-slipway"],
  ] as const) {
    assert.equal((await daemon[client]("cp", "-a", join(folder, "source/a"), `owned:/tmp/${name}`)).code, 0);
    assert.equal((await daemon[client]("cp", join(folder, "source/a"), `owned:/tmp/${name}-plain`)).code, 0);
  }
  const command =
    'curl -sf --unix-socket "$1" "http://x/containers/owned/archive?path=/tmp/." | tar tvf - --numeric-owner';
  const listed = await mustRun("sh", ["-c", command, "sh", daemon.socket]);
  const ids = Object.fromEntries(
    [...listed.matchAll(/ (\d+)\/\d+ .* \.\/(by-.*)/g)].map(([, uid, name]) => [name, uid]),
  );
  assert.deepEqual(ids, { "by-docker": "1000", "by-docker-plain": "0", "by-slipway": "1000", "by-slipway-plain": "0" });
});

test("cp: a large file goes through the daemon, not into it", async () => {
  const sizeBytes = 400 << 20;
  const residentBytes = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) * 1024;
  await mustRun("truncate", ["-s", String(sizeBytes), join(folder, "large")]);
  let peakBytes = 0;
  const watch = setInterval(() => (peakBytes = Math.max(peakBytes, residentBytes())), 50);
  const startBytes = residentBytes();
  try {
    await said(daemon, "cp", join(folder, "large"), "running:/large");
    assert.equal((await daemon.slipway("cp", "running:/large", join(folder, "large-back"))).code, 0);
  } finally {
    clearInterval(watch);
  }
  assert.equal((await lstat(join(folder, "large-back"))).size, sizeBytes);
  assert.ok(peakBytes - startBytes < 150 << 20, `grew by ${(peakBytes - startBytes) >> 20} MiB`);
  await said(daemon, "exec", "running", "rm", "/large");
});
