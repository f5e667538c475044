import assert from "node:assert/strict";
import { lstat, mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
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
