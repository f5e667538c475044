import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, chown, link, lutimes, mkdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeFiles } from "#fixtures/files";
import { copied, choose, type FilesBed, openFilesBed } from "./files.fixture.ts";
import type { FileTree } from "./files.ts";
import { openFolderTree } from "./folder-tree.ts";
import { parseIgnore } from "#core/ignore/ignore";

let bed: FilesBed;
let count = 0;
const never = new AbortController().signal;

before(async () => {
  bed = await openFilesBed();
});
after(async () => await bed[Symbol.asyncDispose]());

async function folderOf(files: Readonly<Record<string, string | undefined>>): Promise<string> {
  const folder = join(bed.folder, `context${count++}`);
  await mkdir(folder);
  await writeFiles(folder, files);
  return folder;
}

async function treeOf(folder: string, ignore = ""): Promise<FileTree> {
  const tree = await openFolderTree(bed.wiring, folder, { name: "context" });
  return tree.ignoring({ path: ".dockerignore", rules: parseIgnore(ignore) });
}

test("select: a file, a folder, the root; parents first, sorted", async () => {
  await using tree = await treeOf(await folderOf({ "b/z": "1", "b/a/x": "2", "b-": "3", a: "4", "e/": undefined }));
  assert.deepEqual(await copied(await choose(tree, ["a", "/b"])), ["a: = 4", "b:/", "b:a/", "b:a/x = 2", "b:z = 1"]);
  assert.deepEqual(await copied(await choose(tree, ["."])), [
    ":/",
    ":a = 4",
    ":b/",
    ":b/a/",
    ":b/a/x = 2",
    ":b/z = 1",
    ":b- = 3",
    ":e/",
  ]);
});

test("select: patterns are Go's filepath.Match; one that finds nothing is nothing, a path that is not there is a fault", async () => {
  await using tree = await treeOf(
    await folderOf({ "a.txt": "1", "b.txt": "2", "c.md": "3", "d.txt/x": "4", "s/e.txt": "5" }),
  );
  assert.deepEqual(await copied(await choose(tree, ["*.txt"])), ["a.txt: = 1", "b.txt: = 2", "d.txt:/", "d.txt:x = 4"]);
  assert.deepEqual(await copied(await choose(tree, ["*/*.txt", "[c-d].md", "?.nothing"])), ["e.txt: = 5", "c.md: = 3"]);
  assert.deepEqual(await copied(await choose(tree, ["**/e.txt"])), ["e.txt: = 5"]);
  await assert.rejects(choose(tree, ["c.dm"]), {
    kind: "notFound",
    message: 'failed to compute cache key: failed to calculate checksum of ref context: "/c.dm": not found',
    remedy: 'Did you mean "/c.md"?',
  });
  await assert.rejects(choose(tree, ["["]), { kind: "invalid", message: /syntax error in pattern/ });
});

test("select: the ignore file leaves out, and says so", async () => {
  const folder = await folderOf({
    "a.log": "1",
    "keep/a.log": "2",
    "keep/b": "3",
    "node_modules/x/y": "4",
    Dockerfile: "F",
  });
  await using tree = await treeOf(folder, "# c\n**/*.log\nnode_modules\n!keep/a.log\nDockerfile\n");
  assert.deepEqual(await copied(await choose(tree, ["."])), [":/", ":keep/", ":keep/a.log = 2", ":keep/b = 3"]);
  await assert.rejects(choose(tree, ["node_modules/x"]), {
    kind: "notFound",
    remedy: 'It is there, but .dockerignore leaves it out by "node_modules" in line 3.',
  });
  assert.deepEqual(await copied(await choose(tree, ["*.log"])), []);
  assert.equal((await tree.read("Dockerfile", 10, never))?.toString(), "F");
});

test("select: a folder that is left out is there for what is taken back below it", async () => {
  const folder = await folderOf({ "a/b/c": "1", "a/b/d": "2", "a/e": "3" });
  await using tree = await treeOf(folder, "a\n!a/b/c\n");
  assert.deepEqual(await copied(await choose(tree, ["."])), [":/", ":a/", ":a/b/", ":a/b/c = 1"]);
  assert.deepEqual(await copied(await choose(tree, ["a/b"])), ["b:/", "b:c = 1"]);
});

test("select: excludes are of paths below the source", async () => {
  await using tree = await treeOf(
    await folderOf({ "d/a.txt": "1", "d/s/a.txt": "2", "d/s/b": "3", "home.txt": "4", homework: "5" }),
  );
  assert.deepEqual(await copied(await choose(tree, ["d"], { excludes: ["*.txt"] })), [
    "d:/",
    "d:s/",
    "d:s/a.txt = 2",
    "d:s/b = 3",
  ]);
  assert.deepEqual(await copied(await choose(tree, ["d"], { excludes: ["**/*.txt", "!s/a.txt"] })), [
    "d:/",
    "d:s/",
    "d:s/a.txt = 2",
    "d:s/b = 3",
  ]);
  assert.deepEqual(await copied(await choose(tree, ["hom*"], { excludes: ["*.txt"] })), ["homework: = 5"]);
});

test("select: with parents, paths are kept from the root or from /./ on", async () => {
  await using tree = await treeOf(
    await folderOf({ "x/a/1.txt": "1", "x/b/2.txt": "2", "x/b/c/3.txt": "3", "x/b/4": "4" }),
  );
  const parents = { parents: true };
  assert.deepEqual(await copied(await choose(tree, ["x/a/1.txt"], parents)), [":/", ":x/", ":x/a/", ":x/a/1.txt = 1"]);
  assert.deepEqual(await copied(await choose(tree, ["x/./b/c"], parents)), [":/", ":b/", ":b/c/", ":b/c/3.txt = 3"]);
  assert.deepEqual(await copied(await choose(tree, ["./x/**/*.txt"], { ...parents, excludes: ["x/a"] })), [
    ":/",
    ":x/",
    ":x/b/",
    ":x/b/2.txt = 2",
    ":x/b/c/",
    ":x/b/c/3.txt = 3",
  ]);
  assert.deepEqual(await copied(await choose(tree, ["x/*.none"], parents)), []);
  await assert.rejects(choose(tree, ["x/./none"], parents), { kind: "notFound", message: /"\/x\/none": not found$/ });
});

test("select: symlinks are followed on the way and when they are named, never out of the tree", async () => {
  const folder = await folderOf({ "real/f": "1", "real/d/g": "2" });
  await writeFile(join(bed.folder, "secret"), "secret");
  await symlink("real", join(folder, "way"));
  await symlink("/real/f", join(folder, "absolute"));
  await symlink("../../../../real/d", join(folder, "real/up"));
  await symlink(join(bed.folder, "secret"), join(folder, "out"));
  await symlink("loop", join(folder, "loop"));
  await using tree = await treeOf(folder);
  assert.deepEqual(await copied(await choose(tree, ["way/f", "absolute", "real/up"])), [
    "f: = 1",
    "absolute: = 1",
    "up:/",
    "up:g = 2",
  ]);
  assert.deepEqual(await copied(await choose(tree, ["real"])), [
    "real:/",
    "real:d/",
    "real:d/g = 2",
    "real:f = 1",
    "real:up -> ../../../../real/d",
  ]);
  await assert.rejects(choose(tree, ["out"]), { kind: "notFound" });
  await assert.rejects(choose(tree, ["loop"]), { kind: "invalid", message: /too many links/ });
});

test("entries: modes, attributes and hard links are kept, owners are root's; pipes are no matter, sockets are passed over", async () => {
  const folder = await folderOf({ "a/f": "1", "a/g": "2" });
  await link(join(folder, "a/f"), join(folder, "a/z"));
  await chown(join(folder, "a/g"), 5, 6);
  await chmod(join(folder, "a/g"), 0o4751);
  execFileSync("setfattr", ["-n", "user.note", "-v", "kept", join(folder, "a/g")]);
  execFileSync("mkfifo", [join(folder, "a/pipe")]);
  await using _ = createServer().listen(join(folder, "a/socket"));
  await using tree = await treeOf(folder);
  const selected = await choose(tree, ["a"]);
  assert.deepEqual(await copied(selected), ["a:/", "a:f = 1", "a:g = 2", "a:pipe fifo", "a:z == f"]);
  for await (const { header } of selected.items[0]?.entries(never) ?? [])
    if (header.path === "g")
      assert.deepEqual(
        [header.mode.toString(8), header.uid, header.gid, header.pax.get("SCHILY.xattr.user.note")],
        ["4751", 0, 0, "kept"],
      );
  assert.equal(await tree.read("a/pipe", 10, never), undefined);
});

test("names: bytes that are no text come through", async () => {
  const folder = await folderOf({});
  await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x66, 0xff, 0xc3, 0xa9])]), "1");
  await using tree = await treeOf(folder);
  const entries = [];
  for await (const { header } of (await choose(tree, ["f??"])).items[0]?.entries(never) ?? [])
    entries.push(header.path);
  const names = [];
  for await (const { header } of (await choose(tree, ["."])).items[0]?.entries(never) ?? []) names.push(header.path);
  assert.deepEqual([entries, names], [[""], ["", "f\xff\xc3\xa9"]]);
});

test("digest: of contents, kinds, modes, targets and names; not of times, nor of what is above", async () => {
  const folder = await folderOf({ "a/f": "1", "a/d/g": "2" });
  await symlink("f", join(folder, "a/l"));
  await using tree = await treeOf(folder);
  const digest = async (path = "a"): Promise<string> => await (await choose(tree, [path])).digest(never);
  const first = await digest();
  await utimes(join(folder, "a/f"), 1, 1);
  await lutimes(join(folder, "a/l"), 1, 1);
  await rename(join(folder, "a"), join(folder, "b"));
  assert.equal(await digest("b"), first);
  const seen = new Set([first]);
  const changes: readonly (() => Promise<unknown>)[] = [
    async () => await writeFile(join(folder, "b/f"), "3"),
    async () => await chmod(join(folder, "b/f"), 0o755),
    async () => await chmod(join(folder, "b/d"), 0o700),
    async () => await rename(join(folder, "b/f"), join(folder, "b/h")),
    async () => await rm(join(folder, "b/l")),
    async () => await symlink("g", join(folder, "b/l")),
    async () => await mkdir(join(folder, "b/e")),
    async () => execFileSync("setfattr", ["-n", "user.x", "-v", "y", join(folder, "b/h")]),
  ];
  for (const change of changes) {
    await change();
    seen.add(await digest("b"));
  }
  assert.equal(seen.size, 1 + changes.length);
});

test("digest: what was read before is not read again, unless it changed or could have changed unseen", async () => {
  const folder = await folderOf({ old: "1", fresh: "2" });
  const past = async (): Promise<void> => await new Promise((done) => setTimeout(done, 2700));
  await past();
  await writeFile(join(folder, "fresh"), "3");
  await using tree = await treeOf(folder);
  const digest = async (): Promise<string> => await (await choose(tree, ["."])).digest(never);
  const start = bed.readCount();
  const first = await digest();
  assert.equal(bed.readCount() - start, 2);
  assert.equal(await digest(), first);
  assert.equal(bed.readCount() - start, 3); // `fresh` is too young to be trusted
  await writeFile(join(folder, "old"), "9");
  await utimes(join(folder, "old"), 1, 1);
  assert.notEqual(await digest(), first);
});

test("entries: a file that changed since the digest is a fault, not other bytes under the same digest", async () => {
  const folder = await folderOf({ f: "1" });
  await using tree = await treeOf(folder);
  const selected = await choose(tree, ["f"]);
  await selected.digest(never);
  await writeFile(join(folder, "f"), "2");
  await assert.rejects(copied(selected), { kind: "conflict", message: /\/f was changed/ });
});

test("parts: tell which file changed", async () => {
  const folder = await folderOf({ "a/f": "1", "a/g": "2" });
  await using tree = await treeOf(folder);
  const before = await (await choose(tree, ["a"])).parts(never);
  await writeFile(join(folder, "a/g"), "3");
  const now = await (await choose(tree, ["a"])).parts(never);
  const changed = [...(now ?? [])].filter(([path, part]) => before?.get(path) !== part).map(([path]) => path);
  assert.deepEqual(changed, ["a/g"]);
});

test("openFolderTree: another folder in its place is refused", async () => {
  const folder = await folderOf({ f: "1" });
  await using tree = await treeOf(folder);
  await rename(folder, `${folder}-away`);
  await mkdir(folder);
  await writeFile(join(folder, "f"), "other");
  await assert.rejects(choose(tree, ["f"]), { kind: "conflict", message: /another folder/ });
  await assert.rejects(treeOf(`${folder}-none`), { kind: "notFound" });
  await assert.rejects(treeOf(join(folder, "f")), { kind: "invalid" });
});
