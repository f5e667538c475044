import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as fc from "fast-check";
import { Fault } from "#core/fault";
import { type TarHeader, tarHeader } from "#core/tar";
import { writeTar } from "#core/tar-write";
import { openArchive, type Uploaded } from "./archive-context.ts";
import { writeFiles } from "#fixtures/files";
import { choose, copied, type FilesBed, openFilesBed } from "./files.fixture.ts";
import { collectScratch } from "./scratch.ts";

let bed: FilesBed;
let scratch = "";
const never = new AbortController().signal;

before(async () => {
  bed = await openFilesBed();
  scratch = join(bed.folder, "scratch");
});
after(async () => await bed[Symbol.asyncDispose]());

type Entry = Partial<TarHeader> & Pick<TarHeader, "type" | "path"> & { readonly text?: string };

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const given = entries.map(({ text = "", ...header }) => ({
    header: tarHeader({ ...header, sizeBytes: text.length }),
    data: Buffer.from(text),
  }));
  for await (const piece of writeTar(
    (async function* () {
      yield* given;
    })(),
  ))
    pieces.push(piece);
  return Buffer.concat(pieces);
}

async function opened(bytes: Uint8Array, at = scratch): Promise<Uploaded> {
  return await openArchive(
    bed.wiring,
    at,
    (async function* () {
      yield bytes;
    })(),
    "context",
    never,
  );
}

async function linesOf(bytes: Uint8Array): Promise<string[]> {
  const uploaded = await opened(bytes);
  if (uploaded.kind === "dockerfile") return [`Dockerfile: ${uploaded.text}`];
  await using tree = uploaded.tree;
  return await copied(await choose(tree, ["."]));
}

test("openArchive: plain and packed by each program; nothing is left when the tree is let go", async () => {
  await writeFiles(join(bed.folder, "source"), { "a/b": "1", c: "2" });
  const tar = execFileSync("tar", ["-C", join(bed.folder, "source"), "-cf", "-", "."]);
  const plain = [":/", ":a/", ":a/b = 1", ":c = 2"];
  assert.deepEqual(await linesOf(tar), plain);
  for (const program of ["gzip", "bzip2", "xz", "zstd"])
    assert.deepEqual(await linesOf(execFileSync(program, ["-c"], { input: tar })), plain, program);
  assert.deepEqual(readdirSync(scratch), []);
});

test("openArchive: a text is a Dockerfile alone; nothing is an empty context; anything else is refused", async () => {
  assert.deepEqual(await linesOf(Buffer.from("FROM scratch\n")), ["Dockerfile: FROM scratch\n"]);
  assert.deepEqual(await linesOf(Buffer.from(`FROM scratch\n${"# x\n".repeat(1000)}`)), [
    `Dockerfile: FROM scratch\n${"# x\n".repeat(1000)}`,
  ]);
  assert.deepEqual(await linesOf(Buffer.alloc(0)), [":/"]);
  await assert.rejects(opened(Buffer.alloc(5000, "a\0")), {
    kind: "invalid",
    message: /neither an archive nor a Dockerfile/,
  });
  await assert.rejects(opened(Buffer.alloc(2 << 20, "a")), { kind: "invalid" });
});

test("openArchive: owners are root's, modes and attributes stay; what the archive says last holds", async () => {
  const uploaded = await opened(
    await tarOf([
      { type: "file", path: "/abs", text: "1", mode: 0o4755, uid: 77, gid: 88 },
      { type: "file", path: "x/../twice", text: "old" },
      {
        type: "file",
        path: "./twice",
        text: "new",
        pax: new Map([
          ["SCHILY.xattr.user.a", "b"],
          ["SCHILY.xattr.trusted.overlay.opaque", "y"],
        ]),
      },
    ]),
  );
  assert.ok(uploaded.kind === "tree");
  await using tree = uploaded.tree;
  const headers = [];
  for await (const { header } of (await choose(tree, ["."])).items[0]?.entries(never) ?? []) headers.push(header);
  assert.deepEqual(
    headers.slice(1).map(({ path, mode, uid, gid, pax }) => [path, mode.toString(8), uid, gid, [...pax]]),
    [
      ["abs", "4755", 0, 0, []],
      ["twice", "644", 0, 0, [["SCHILY.xattr.user.a", "b"]]],
    ],
  );
});

test("openArchive: hostile archives write and read nothing outside, and leave nothing behind", async () => {
  writeFileSync(join(bed.folder, "secret"), "secret");
  const hostile: Readonly<Record<string, readonly Entry[]>> = {
    "a name that leaves": [{ type: "file", path: "../evil", text: "x" }],
    "a name that leaves later": [{ type: "file", path: "a/../../evil", text: "x" }],
    "through a symlink": [
      { type: "symlink", path: "out", linkPath: bed.folder },
      { type: "file", path: "out/evil", text: "x" },
    ],
    "through a symlink of dots": [
      { type: "symlink", path: "out", linkPath: "../../.." },
      { type: "file", path: "out/evil", text: "x" },
    ],
    "a hard link to outside": [{ type: "hardlink", path: "l", linkPath: "../secret" }],
    "a hard link to the programs": [{ type: "hardlink", path: "l", linkPath: "/usr/bin/tar" }],
    "a hard link through a symlink": [
      { type: "symlink", path: "out", linkPath: "/usr/bin" },
      { type: "hardlink", path: "l", linkPath: "out/tar" },
    ],
    "over the programs": [
      { type: "symlink", path: "out", linkPath: "/usr/bin" },
      { type: "file", path: "out/tar", text: "x" },
    ],
    "a device": [{ type: "char", path: "null", major: 1, minor: 3 }],
    "a disk": [{ type: "block", path: "sda", major: 8, minor: 0 }],
    "no name": [
      { type: "file", path: "./", text: "" },
      { type: "symlink", path: ".", linkPath: "/" },
    ],
    "very deep": [{ type: "file", path: "a/".repeat(1500) + "f", text: "x" }],
  };
  for (const [what, entries] of Object.entries(hostile)) {
    const bytes = await tarOf(entries);
    await assert.rejects(opened(bytes), (error) => error instanceof Fault && /invalid|tooLarge/.test(error.kind), what);
  }
  await assert.rejects(opened((await tarOf([{ type: "file", path: "a", text: "x".repeat(5000) }])).subarray(0, 3000)), {
    kind: "invalid",
    message: /truncated/,
  });
  assert.deepEqual(readdirSync(scratch), []);
  assert.deepEqual(
    readdirSync(bed.folder).filter((name) => name.includes("evil")),
    [],
  );
});

test("openArchive: whatever the bytes of an archive are turned into, it is read, or refused with a word", async () => {
  const good = await tarOf([
    { type: "directory", path: "d" },
    { type: "file", path: "d/f", text: "x".repeat(700) },
    { type: "symlink", path: "d/l", linkPath: "f" },
    { type: "hardlink", path: "h", linkPath: "d/f" },
  ]);
  const flip = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 4 }), fc.boolean(), async (flips, fixed) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of flips) bytes[at] = value;
      if (fixed) for (let at = 0; at < bytes.length; at += 512) fixSum(bytes, at);
      try {
        await linesOf(bytes);
      } catch (error) {
        assert.ok(error instanceof Fault, String(error));
        assert.notEqual(error.kind, "internal", error.message);
      }
      assert.deepEqual(readdirSync(scratch), []);
    }),
    { numRuns: 60 },
  );
});

test("openArchive: a full disk is said, and nothing is left", async () => {
  const disk = join(bed.folder, "disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
  try {
    const text = "x".repeat(100_000);
    const entries = Array.from({ length: 60 }, (_, index): Entry => ({ type: "file", path: `f${index}`, text }));
    await assert.rejects(opened(await tarOf(entries), disk), { kind: "exhausted" });
    assert.deepEqual(readdirSync(disk), []);
  } finally {
    execFileSync("umount", [disk]);
  }
});

test("openArchive: who goes away in the middle leaves nothing; what a kill left is collected", async () => {
  const abort = new AbortController();
  const tar = await tarOf([{ type: "file", path: "f", text: "x".repeat(200_000) }]);
  const halting = (async function* () {
    yield tar.subarray(0, 100_000);
    abort.abort();
    yield tar.subarray(100_000);
  })();
  await assert.rejects(openArchive(bed.wiring, scratch, halting, "context", abort.signal));
  assert.deepEqual(readdirSync(scratch), []);
  await writeFiles(scratch, { "context-left/a/b": "1" });
  await collectScratch(bed.shim, scratch);
  assert.deepEqual(readdirSync(scratch), []);
});

/** Puts the right checksum into what may be a header. */
function fixSum(bytes: Buffer, at: number): void {
  if (bytes.toString("latin1", at + 257, at + 262) !== "ustar") return;
  bytes.fill(" ", at + 148, at + 156);
  let sum = 0;
  for (const byte of bytes.subarray(at, at + 512)) sum += byte;
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, 8, "latin1");
}
