import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Shim } from "#host";
import { connectShim, stopZygote } from "../../host/shim/shim.ts";
import { tarOf, type TestEntry } from "../../images/images.fixture.ts";
import { baseOf, copied, file, type Given } from "./copy.fixture.ts";

const scratch = mkdtempSync(join(tmpdir(), "slipway-add-"));
const socketPath = join(scratch, "shim.sock");
let shim: Shim;

before(async () => {
  const repository = join(import.meta.dirname, "../../..");
  execFileSync("sh", [join(repository, "shim/build.sh")]);
  shim = await connectShim({ socketPath, shimPath: join(repository, "build/shim/slipway-shim") });
});

after(async () => {
  await shim[Symbol.asyncDispose]();
  await stopZygote(socketPath);
  rmSync(scratch, { recursive: true, force: true });
});

async function added(
  entries: readonly TestEntry[],
  target: string,
  more: { readonly base?: readonly Given[]; readonly owner?: { readonly uid: number; readonly gid: number } } = {},
): Promise<string[]> {
  const { base = [], owner } = more;
  const archive = await tarOf(entries);
  const given = { unpack: true, shim, base: baseOf(base), ...(owner !== undefined && { owner }) };
  return await copied([file("a.tar", archive)], target, given);
}

test("copyLayer: ADD unpacks archives, told by their content, with owners, times and links as they are", async () => {
  const entries = [
    { path: "./", mode: 0o700, uid: 1 },
    { path: "./d/", mode: 0o750, uid: 4, gid: 5, mtimeNs: 2_000_000_000n },
    { path: "./d/f", data: "F", mode: 0o4755, uid: 4, userName: "four" },
    { path: "./d/h", type: "hardlink", linkPath: "./d/f" },
    { path: "./l", type: "symlink", linkPath: "../out" },
    { path: "/p", type: "fifo" },
  ] as const;
  const expected = [
    "directory 755 0:0 9 x/",
    "directory 750 4:5 2 x/d/",
    "file 4755 4:0 0 x/d/f F",
    "hardlink 644 0:0 0 x/d/h -> x/d/f",
    "symlink 644 0:0 0 x/l -> ../out",
    "fifo 644 0:0 0 x/p",
  ];
  const plain = await tarOf(entries);
  const packed = (program: string): Buffer => execFileSync(program, ["-c"], { input: plain });
  for (const bytes of [plain, gzipSync(plain), zstdCompressSync(plain), packed("bzip2"), packed("xz")]) {
    const item = file("no-tar.txt", bytes);
    assert.deepEqual(await copied([item], "/x", { unpack: true, shim }), expected);
  }
});

test("copyLayer: ADD copies what is no archive, and archives that are not to be unpacked", async () => {
  for (const bytes of [
    Buffer.from("text"),
    gzipSync("text"),
    Buffer.alloc(0),
    Buffer.alloc(2048),
    Buffer.from("BZh91"),
  ]) {
    const lines = await copied([file("f", bytes)], "/x/", { unpack: true, shim });
    assert.match(lines.at(-1) ?? "", /^file 644 0:0 0 x\/f/);
  }
  const archive = await tarOf([{ path: "inside", data: "1" }]);
  const lines = await copied([file("f", archive)], "/x/", { unpack: false, shim });
  assert.match(lines.at(-1) ?? "", /^file 644 0:0 0 x\/f/);
});

test("copyLayer: an archive's directories that are symlinks are filled where they lead, in the archive's root", async () => {
  const base: Given[] = [
    { path: "lib", linkPath: "usr/lib" },
    { path: "usr/", mode: 0o711 },
    { path: "usr/lib/", mode: 0o751, uid: 3 },
    { path: "opt", linkPath: "/usr" },
  ];
  const lines = await added([{ path: "lib/" }, { path: "lib/a", data: "1" }, { path: "opt/b", data: "2" }], "/", {
    base,
  });
  assert.deepEqual(lines, [
    "directory 711 0:0 0 usr/",
    "directory 755 0:0 0 usr/lib/",
    "file 644 0:0 0 usr/lib/a 1",
    "file 644 0:0 0 usr/b 2",
  ]);
  const own = await added(
    [
      { path: "l", type: "symlink", linkPath: "/d" },
      { path: "l/f", data: "1" },
      { path: "u", type: "symlink", linkPath: "l" },
      { path: "u/g", data: "2" },
      { path: "h", type: "hardlink", linkPath: "u/f" },
    ],
    "/x/",
  );
  assert.deepEqual(own, [
    "directory 755 0:0 9 x/",
    "symlink 644 0:0 0 x/l -> /d",
    "directory 755 0:0 9 x/d/",
    "file 644 0:0 0 x/d/f 1",
    "symlink 644 0:0 0 x/u -> l",
    "file 644 0:0 0 x/d/g 2",
    "hardlink 644 0:0 0 x/h -> x/d/f",
  ]);
});

test("copyLayer: an archive replaces files and symlinks that are no directories to it, and keeps directories that it does not describe", async () => {
  const base: Given[] = [
    { path: "x/" },
    { path: "x/etc/", mode: 0o700, uid: 9 },
    { path: "x/f" },
    { path: "x/l", linkPath: "f" },
    { path: "x/d/" },
  ];
  const entries = [
    { path: "etc/new", data: "1" },
    { path: "l", data: "2" },
    { path: "d", data: "3" },
  ];
  assert.deepEqual(await added(entries, "/x", { base, owner: { uid: 7, gid: 8 } }), [
    "directory 755 0:0 0 x/",
    "directory 700 9:0 0 x/etc/",
    "file 644 7:8 0 x/etc/new 1",
    "file 644 7:8 0 x/l 2",
    "file 644 7:8 0 x/d 3",
  ]);
  await assert.rejects(added([{ path: "f/below", data: "" }], "/x", { base }), {
    kind: "invalid",
    message: /not a directory/,
  });
});

test("copyLayer: archives that lead out of their root, remove files or have no end of names are refused", async () => {
  const link = { type: "symlink", path: "l" } as const;
  const bad: (readonly TestEntry[])[] = [
    [{ path: "../f", data: "" }],
    [{ path: "a/../../f", data: "" }],
    [
      { ...link, linkPath: "../up" },
      { path: "l/f", data: "" },
    ],
    [
      { ...link, linkPath: "l" },
      { path: "l/f", data: "" },
    ],
    [{ path: "h", type: "hardlink", linkPath: "../../etc/passwd" }],
    [{ path: "h", type: "hardlink", linkPath: "./" }],
    [{ path: "c", type: "char" }],
    [{ path: "d/.wh.f", data: "" }],
    [{ path: ".wh..wh..opq", data: "" }],
  ];
  for (const entries of bad)
    await assert.rejects(added(entries, "/x"), { kind: "invalid" }, JSON.stringify(entries[0]?.path));
  await assert.rejects(added([{ path: "a/".repeat(500) }], "/x"), { kind: "tooLarge" });
  const cut = (await tarOf([{ path: "f", data: "x".repeat(4096) }])).subarray(0, 2048);
  await assert.rejects(copied([file("a", cut)], "/x", { unpack: true, shim }), {
    kind: "invalid",
    message: /truncated/,
  });
});
