import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { chown, mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isFault } from "#core/fault";
import type { MountOp } from "./shim-types.ts";
import { openTestBed, type TestBed } from "./test-bed.ts";

let bed: TestBed;
let folder: string;
before(async () => {
  bed = await openTestBed();
  folder = await mkdtemp(join(tmpdir(), "slipway-mounts-"));
  await mkdir(join(folder, "scratch"));
});
after(async () => {
  await bed[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What a program prints that has those mounts in a scratch folder, which is its tree. */
async function seen(mounts: readonly MountOp[], ...argv: readonly string[]): Promise<string> {
  const scratch = join(folder, "scratch");
  const below: MountOp = { op: "mount", type: "tmpfs", source: "t", target: scratch, flags: [], data: "size=1m" };
  const { code, stdout, stderr } = await bed.shim.runToEnd({ argv, mounts: [below, ...mounts], tree: scratch });
  return code === 0 ? Buffer.from(stdout).toString() : `failed: ${stderr}`;
}

function pick(how: "beneath" | "inside", root: string, path: string): MountOp {
  return { op: "pick", how, root, path, target: join(folder, "scratch/picked"), flags: ["rec", "ro"] };
}

test("mount plan: pick follows a path within a tree, and refuses or contains what leads out of it", async () => {
  const root = join(folder, "tree");
  await mkdir(join(root, "real/deep"), { recursive: true });
  await mkdir(join(root, "etc"));
  await writeFile(join(root, "real/deep/name"), "of the tree\n");
  await writeFile(join(root, "etc/hostname"), "tree's own\n");
  await symlink("real", join(root, "near"));
  await symlink("/etc", join(root, "absolute"));
  await symlink("../../../../etc", join(root, "upwards"));
  await symlink("/proc/self/root/etc", join(root, "magic"));
  const cat = async (how: "beneath" | "inside", path: string): Promise<string> =>
    await seen([pick(how, root, path)], "cat", "picked");
  assert.equal(await cat("beneath", "near/deep/name"), "of the tree\n");
  assert.equal(await cat("inside", "/absolute/hostname"), "tree's own\n");
  assert.equal(await cat("inside", "/upwards/hostname"), "tree's own\n");
  for (const path of [
    "absolute/hostname",
    "upwards/hostname",
    "magic/hostname",
    "../tree/etc/hostname",
    "/etc/hostname",
  ])
    await assert.rejects(cat("beneath", path), /the path \S+ leads out of/, path);
  await assert.rejects(cat("inside", "/no/such"), (error) => isFault(error, "notFound"));
  assert.match(await seen([pick("beneath", root, "real")], "touch", "picked/x"), /^failed: .*Read-only file system/);
});

test("mount plan: an attacker who swaps folders for symlinks meanwhile never gets pick out of the tree", async () => {
  const root = join(folder, "swapped");
  const secret = join(folder, "secret");
  for (const path of [join(root, "x/deep"), join(secret, "deep")]) await mkdir(path, { recursive: true });
  await writeFile(join(root, "x/deep/name"), "inside\n");
  await writeFile(join(secret, "deep/name"), "SECRET\n");
  await symlink(secret, join(root, "link"));
  const swap = `
    const { renameSync } = require("node:fs");
    process.chdir(${JSON.stringify(root)});
    process.stdout.write("x");
    for (;;) { renameSync("x", "away"); renameSync("link", "x"); renameSync("x", "link"); renameSync("away", "x"); }`;
  const attacker = spawn(process.execPath, ["-e", swap], { stdio: ["ignore", "pipe", "inherit"] });
  await once(attacker.stdout, "data");
  const counts = { inside: 0, refused: 0 };
  try {
    for (let round = 0; round < 150; round++) {
      const path = round % 2 === 0 ? "x/deep/name" : "x/deep";
      const argv = round % 2 === 0 ? ["cat", "picked"] : ["cat", "picked/name"];
      try {
        assert.equal(await seen([pick("beneath", root, path)], ...argv), "inside\n");
        counts.inside++;
      } catch (error) {
        assert.ok(isFault(error, "internal") || isFault(error, "notFound"), String(error));
        counts.refused++;
      }
    }
  } finally {
    attacker.kill("SIGKILL");
    await once(attacker, "exit");
  }
  assert.ok(counts.inside > 0 && counts.refused > 0, JSON.stringify(counts));
});

test("mount plan: idmap with a mapping of its own shows files under other ids", async () => {
  const root = join(folder, "owned");
  await mkdir(root);
  await writeFile(join(root, "f"), "");
  await chown(join(root, "f"), 5, 7);
  const target = join(folder, "scratch/shown");
  const mapping = {
    uids: [{ inside: 5, outside: 1005, size: 1 }],
    gids: [{ inside: 0, outside: 0, size: 100 }],
  };
  const mapped: MountOp = { op: "idmap", source: root, target, mapping };
  assert.equal(await seen([mapped], "stat", "--format=%u %g", "shown/f"), "1005 7\n");
});

test("mount plan: a file system that the kernel does not have is named", async () => {
  const odd: MountOp = {
    op: "mount",
    type: "oddfs",
    source: "x",
    target: join(folder, "scratch"),
    flags: [],
    data: "",
  };
  await assert.rejects(seen([odd], "true"), /the kernel has no file system oddfs/);
});

test("copy: holes, links, long paths and odd names arrive; what is there already is replaced, folders are kept", async () => {
  const from = join(folder, "copied-from");
  const to = join(folder, "copied-to");
  await mkdir(from);
  await mkdir(join(to, "sub"), { recursive: true });
  await writeFile(join(to, "sub/kept"), "kept");
  await writeFile(join(to, "one"), "half a fi");
  const deep = `${"d/".repeat(200)}end`;
  const script = `printf 'whole\\n' >one; ln one other; mkdir sub; ln one sub/third; truncate -s 64M sparse; printf x >>sparse
    ln -s /nowhere link; mkfifo pipe; mkdir -p "$1"; printf deep >"$1/f"; printf odd >"$(printf 'a\\nb\\377')"; chmod 6755 other; chown -h 5:6 link`;
  execFileSync("sh", ["-ec", script, "sh", deep], { cwd: from });
  const scratch = join(folder, "scratch");
  const mounts: MountOp[] = [
    { op: "mount", type: "tmpfs", source: "t", target: scratch, flags: [], data: "size=1m" },
    { op: "pick", how: "beneath", root: folder, path: "copied-from", target: join(scratch, "from"), flags: ["ro"] },
    { op: "pick", how: "beneath", root: folder, path: "copied-to", target: join(scratch, "to"), flags: [] },
  ];
  const copy = async (): Promise<void> => {
    const end = await bed.shim.runToEnd({ builtin: "copy", argv: ["/from", "/to"], mounts, tree: scratch });
    assert.deepEqual([end.code, end.stderr], [0, ""]);
  };
  await copy();
  await copy(); // again, as after a crash
  const listed = (path: string): string =>
    execFileSync("find", [".", "!", "-name", "kept", "!", "-name", ".", "-printf", "%P %y %m %U:%G %n %T@ %l\\0"], {
      cwd: path,
    })
      .toString("latin1")
      .split("\0")
      .toSorted()
      .join("\n");
  assert.equal(listed(to).replace(/^sub d .*$/m, ""), listed(from).replace(/^sub d .*$/m, ""));
  assert.deepEqual(
    [readFileSync(join(to, "one"), "utf8"), readFileSync(join(to, "sub/kept"), "utf8")],
    ["whole\n", "kept"],
  );
  const [{ ino }, third, sparse] = await Promise.all([
    stat(join(to, "one")),
    stat(join(to, "sub/third")),
    stat(join(to, "sparse")),
  ]);
  assert.equal(third.ino, ino);
  assert.ok(sparse.size === 64 * 1024 * 1024 + 1 && sparse.blocks * 512 < 1024 * 1024);
  const plain = [{ ...mounts[0] }, { ...mounts[1], path: "copied-from/one" }, mounts[2]] as MountOp[];
  const end = await bed.shim.runToEnd({ builtin: "copy", argv: ["/from", "/to"], mounts: plain, tree: scratch });
  assert.equal(end.code, 3);
});

test("copy: what fails is taken away again, down to the first name, and what somebody else has there stays", async () => {
  const from = join(folder, "large");
  await mkdir(join(from, "sub/deeper"), { recursive: true });
  for (const name of ["a", "sub/b", "sub/deeper/c"]) await writeFile(join(from, name), Buffer.alloc(700_000, 1));
  await symlink("/nowhere", join(from, "sub/link"));
  const [scratch, to] = [join(folder, "scratch-small"), join(folder, "small")];
  await mkdir(to);
  await mkdir(scratch);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1536k", "small", to]);
  try {
    await mkdir(join(to, "sub"));
    await writeFile(join(to, "sub/theirs"), "theirs");
    const mounts: MountOp[] = [
      { op: "mount", type: "tmpfs", source: "t", target: scratch, flags: [], data: "size=1m" },
      { op: "mkdir", path: join(scratch, "from"), mode: 0o755 },
      { op: "bind", source: from, target: join(scratch, "from"), flags: ["ro"] },
      { op: "mkdir", path: join(scratch, "to"), mode: 0o755 },
      { op: "bind", source: to, target: join(scratch, "to"), flags: [] },
    ];
    const end = await bed.shim.runToEnd({ builtin: "copy", argv: ["/from", "/to"], mounts, tree: scratch });
    assert.equal(end.code, 1);
    assert.match(end.stderr, /^(a|sub\/b|sub\/deeper\/c): No space left on device$/m);
    assert.equal(execFileSync("find", [".", "-type", "f"], { cwd: to, encoding: "utf8" }), "./sub/theirs\n");
  } finally {
    execFileSync("umount", [to]);
  }
});
