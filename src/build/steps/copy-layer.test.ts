import assert from "node:assert/strict";
import { test } from "node:test";
import { linesOf, baseOf, copied, file, folder } from "./copy.fixture.ts";
import { parseChmod } from "./chmod.ts";
import { folderLayer } from "./copy-layer.ts";
import { textItem } from "./text-source.ts";

test("copyLayer: a file gets the target's name, or goes into it with a slash or when it is a directory", async () => {
  const item = file("src/a", "A", { mode: 0o640, mtimeNs: 3_999_999_999n });
  assert.deepEqual(await copied([item], "/x/b"), ["directory 755 0:0 9 x/", "file 640 0:0 3 x/b A"]);
  assert.deepEqual(await copied([item], "/x/b/"), [
    "directory 755 0:0 9 x/",
    "directory 755 0:0 9 x/b/",
    "file 640 0:0 3 x/b/a A",
  ]);
  assert.deepEqual(await copied([item], "/"), ["file 640 0:0 3 a A"]);
  const base = baseOf([{ path: "x/", mode: 0o711, uid: 7, gid: 8, mtimeNs: 1_000_000_000n }]);
  assert.deepEqual(await copied([item], "/x", { base }), ["directory 711 7:8 1 x/", "file 640 0:0 3 x/a A"]);
});

test("copyLayer: the contents of a directory go into the target, which keeps its looks and takes its time", async () => {
  const item = folder("src", { path: "sub/", mode: 0o700, mtimeNs: 2_000_000_000n }, { path: "sub/a", data: "A" });
  const contents = ["directory 700 0:0 2 x/sub/", "file 644 0:0 0 x/sub/a A"];
  assert.deepEqual(await copied([item], "/x"), ["directory 755 0:0 5 x/", ...contents]);
  const base = baseOf([
    { path: "x/", mode: 0o1777, uid: 7 },
    { path: "x/sub/", mode: 0o711, uid: 9 },
  ]);
  assert.deepEqual(await copied([item], "/x", { base }), ["directory 1777 7:0 5 x/", ...contents]);
});

test("copyLayer: several sources make the target a directory; later ones win", async () => {
  const lines = await copied([file("a", "1"), file("sub/a", "2"), folder("d", { path: "b", data: "3" })], "/x/");
  assert.deepEqual(lines, [
    "directory 755 0:0 9 x/",
    "file 644 0:0 0 x/a 1",
    "file 644 0:0 0 x/a 2",
    "file 644 0:0 0 x/b 3",
  ]);
});

test("copyLayer: symlinks of the target are followed inside the root, also those that lead to nothing", async () => {
  const base = baseOf([
    { path: "bin", linkPath: "usr/bin" },
    { path: "usr/", mode: 0o751 },
    { path: "usr/bin/", mode: 0o750 },
    { path: "usr/up", linkPath: "../../../../data/new" },
    { path: "loop", linkPath: "/loop" },
  ]);
  assert.deepEqual(await copied([file("a", "A")], "/bin/", { base }), [
    "directory 751 0:0 0 usr/",
    "directory 750 0:0 0 usr/bin/",
    "file 644 0:0 0 usr/bin/a A",
  ]);
  assert.deepEqual(await copied([file("a", "A")], "/usr/up/", { base }), [
    "directory 755 0:0 9 data/",
    "directory 755 0:0 9 data/new/",
    "file 644 0:0 0 data/new/a A",
  ]);
  await assert.rejects(copied([file("a", "A")], "/loop/", { base }), {
    kind: "invalid",
    message: /too many symbolic links/,
  });
});

test("copyLayer: without anything below (--link) directories are made anew", async () => {
  assert.deepEqual(await copied([file("a", "A")], "/bin/", { owner: { uid: 5, gid: 6 } }), [
    "directory 755 5:6 9 bin/",
    "file 644 5:6 0 bin/a A",
  ]);
});

test("copyLayer: files and directories in each other's way are errors, files and links in the way of files are replaced", async () => {
  const base = baseOf([
    { path: "x/" },
    { path: "x/dir/" },
    { path: "x/file" },
    { path: "x/link", linkPath: "dir" },
    { path: "x/dir/deep/" },
  ]);
  const cannotReplace = { kind: "invalid", message: "cannot replace to directory /x/dir with file" };
  await assert.rejects(copied([file("dir", "")], "/x/", { base }), cannotReplace);
  await assert.rejects(copied([folder("s", { path: "dir" })], "/x", { base }), cannotReplace);
  const deep = folder("s", { path: "dir/" }, { path: "dir/deep", data: "" });
  await assert.rejects(copied([deep], "/x", { base }), {
    message: "cannot replace to directory /x/dir/deep with file",
  });
  for (const name of ["file", "link"]) {
    const message = `cannot copy to non-directory: /x/${name}`;
    await assert.rejects(copied([folder("s", { path: `${name}/` })], "/x", { base }), { kind: "invalid", message });
  }
  await assert.rejects(copied([folder("s")], "/x/file", { base }), {
    message: "cannot copy to non-directory: /x/file",
  });
  await assert.rejects(copied([file("a", "")], "/x/file/b", { base }), {
    message: "cannot copy to non-directory: /x/file",
  });
  const replaced = await copied([folder("s", { path: "link", data: "1" }, { path: "file", data: "2" })], "/x", {
    base,
  });
  assert.deepEqual(replaced.slice(1), ["file 644 0:0 0 x/link 1", "file 644 0:0 0 x/file 2"]);
  await assert.rejects(copied([folder("s", { path: "a/" }), file("a", "")], "/y/"), {
    message: "cannot replace to directory /y/a with file",
  });
});

test("copyLayer: owner and mode go to what is copied; directories above are the owner's, links keep their mode", async () => {
  const item = folder(
    "s",
    { path: "d/", mode: 0o700 },
    { path: "d/f", mode: 0o600, data: "F" },
    { path: "l", linkPath: "/etc", mode: 0o777 },
  );
  const lines = await copied([item], "/x/y", { owner: { uid: 5, gid: 6 }, chmod: parseChmod("u+x,go=rX") });
  assert.deepEqual(lines, [
    "directory 755 5:6 9 x/",
    "directory 755 5:6 5 x/y/",
    "directory 755 5:6 0 x/y/d/",
    "file 755 5:6 0 x/y/d/f F",
    "symlink 777 5:6 0 x/y/l -> /etc",
  ]);
});

test("copyLayer: hard links, attributes that travel, times in whole seconds and not after the given one", async () => {
  const pax = new Map([
    ["SCHILY.xattr.user.note", "n"],
    ["SCHILY.xattr.security.capability", "c"],
    ["SCHILY.xattr.security.selinux", "s"],
    ["SCHILY.xattr.trusted.overlay.opaque", "y"],
    ["comment", "no"],
  ]);
  const item = folder(
    "s",
    { path: "a", data: "A", pax, mtimeNs: 8_500_000_000n },
    { path: "b", type: "hardlink", linkPath: "a", mtimeNs: -1_500_000_000n },
  );
  assert.deepEqual(await copied([item], "/x", { latestNs: 4_000_000_000n, timeNs: 4_000_000_000n }), [
    "directory 755 0:0 4 x/",
    "file 644 0:0 4 x/a SCHILY.xattr.user.note=n SCHILY.xattr.security.capability=c A",
    "hardlink 644 0:0 -2 x/b -> x/a",
  ]);
});

test("copyLayer: names that would remove files are refused, and files that changed meanwhile", async () => {
  await assert.rejects(copied([folder("s", { path: "d/.wh.etc" })], "/"), {
    kind: "invalid",
    message: /means a removed file/,
  });
  const grown = { ...file("a", "A"), entries: file("a", "AB").entries };
  const wrong = {
    ...grown,
    async *entries(signal: AbortSignal) {
      for await (const { header, data } of grown.entries(signal)) yield { header: { ...header, sizeBytes: 1 }, data };
    },
  };
  await assert.rejects(copied([wrong], "/a"), { kind: "conflict", message: /changed while it was copied: \/a/ });
});

test("copyLayer: names that are no UTF-8, and long ones, come through", async () => {
  const name = Buffer.from([0x62, 0xff]).toString("latin1");
  const long = `${"n".repeat(90)}/${"m".repeat(90)}`;
  assert.deepEqual(await copied([folder("s", { path: name }, { path: long, data: "L" })], "/ü"), [
    `directory 755 0:0 5 ${Buffer.from("ü").toString("latin1")}/`,
    `file 644 0:0 0 ${Buffer.from("ü").toString("latin1")}/${name}`,
    `file 644 0:0 0 ${Buffer.from("ü").toString("latin1")}/${long} L`,
  ]);
});

test("copyLayer: documents of the Dockerfile are files of mode 644", async () => {
  assert.deepEqual(await copied([textItem("run.sh", "echo ü\n", 9_000_000_000n)], "/x/"), [
    "directory 755 0:0 9 x/",
    "file 644 0:0 9 x/run.sh echo ü\n",
  ]);
});

test("folderLayer: makes what is missing for its owner, nothing when it is there", async () => {
  const base = baseOf([{ path: "srv/", mode: 0o711 }, { path: "home", linkPath: "srv" }, { path: "f" }]);
  const tar = await folderLayer("/home/a/b", { uid: 5, gid: 6 }, 9_000_000_000n, base);
  assert.ok(tar !== undefined);
  assert.deepEqual(await linesOf(one(tar)), [
    "directory 711 0:0 0 srv/",
    "directory 755 5:6 9 srv/a/",
    "directory 755 5:6 9 srv/a/b/",
  ]);
  assert.equal(await folderLayer("/home", undefined, 0n, base), undefined);
  assert.equal(await folderLayer("/", undefined, 0n, base), undefined);
  await assert.rejects(folderLayer("/f", undefined, 0n, base), { kind: "invalid" });
});

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
