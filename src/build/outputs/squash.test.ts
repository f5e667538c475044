import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { type Digest, digestOf } from "#core/digest";
import { bytesOf, openTestRoom, tarOf, type TestEntry, type TestRoom } from "../../images/images.fixture.ts";
import { linesOf } from "../steps/copy.fixture.ts";
import { readStack, type RootParts } from "./root-tar.ts";
import { squash, squashLayers } from "./squash.ts";

const signal = AbortSignal.timeout(120_000);

const base: readonly TestEntry[] = [
  "kept",
  "gone",
  "d/a",
  "d/b",
  "opq/old",
  "file/under",
  "turned/old",
  "back/old",
].map((path) => ({ path, data: "base" }));

const layers: readonly (readonly TestEntry[])[] = [
  [
    { path: "one", data: "1", mode: 0o600 },
    { path: "secret", data: "hush" },
    { path: "link", type: "hardlink", linkPath: "one" },
    { path: ".wh.gone", data: "" },
    { path: "d/.wh.a", data: "" },
    { path: "d/c", data: "c" },
    { path: "file", data: "was a directory" },
    { path: "turned", data: "a file" },
    { path: ".wh.back", data: "" },
    { path: "deep/er/x", data: "x" },
  ],
  [
    { path: ".wh.secret", data: "" },
    { path: ".wh.one", data: "" },
    { path: "d/", mode: 0o711, uid: 5 },
    { path: "d/c2", type: "hardlink", linkPath: "d/c" },
    { path: "opq/.wh..wh..opq", data: "" },
    { path: "opq/new", data: "new" },
    { path: "turned/", mode: 0o700 },
    { path: "turned/new", data: "new" },
    { path: "back/", mode: 0o755 },
    { path: "back/new", data: "new" },
    { path: "deep/er/y", data: "y" },
    { path: "deep/.wh.er", data: "" },
    { path: "s", type: "symlink", linkPath: "kept" },
  ],
  [
    { path: "d/.wh.c", data: "" },
    { path: "opq/later", data: "later" },
    { path: "gone/", mode: 0o750 },
    { path: "gone/again", data: "again" },
  ],
];

test("squashLayers: one layer does to the base what they do one after the other; what went is not in it", async () => {
  await using room = await openTestRoom();
  const tars = await Promise.all(layers.map(tarOf));
  const opened = tars.map((tar) => () => onePiece(tar));
  const squashed = await bytesOf(squashLayers(opened, signal));
  assert.deepEqual(await bytesOf(squashLayers(opened, signal)), squashed);
  assert.ok(!squashed.includes("hush"));
  const baseTar = await tarOf(base);
  const apart = await filesOf(room, [baseTar, ...tars]);
  const together = await filesOf(room, [baseTar, squashed]);
  assert.deepEqual(together, apart);
  assert.ok(apart.some((line) => line.includes("gone/again")) && !apart.some((line) => line.includes("turned/old")));
});

test("squashLayers: one layer stays what it is, but for the order of its marks", async () => {
  const tar = await tarOf([
    { path: "a", data: "A" },
    { path: "d/.wh.x", data: "" },
    { path: "b", type: "hardlink", linkPath: "below" },
  ]);
  assert.deepEqual(await linesOf(squashLayers([() => onePiece(tar)], signal)), [
    "file 644 0:0 0 d/.wh.x",
    "file 644 0:0 0 a A",
    "hardlink 644 0:0 0 b -> below",
  ]);
});

test("squash: joins layers of the store, packed ones too; nothing above is nothing to join", async () => {
  await using room = await openTestRoom();
  const { layers: door } = room.images;
  await using lease = door.lease();
  const below = await door.add(undefined, onePiece(await tarOf(base)), lease, signal);
  const above = [];
  let stack: Digest | undefined = below.stack;
  for (const entries of layers.slice(0, 2)) {
    const made = await door.add(stack, onePiece(await tarOf(entries)), lease, signal);
    above.push(made.layer);
    stack = made.stack;
  }
  const plain = await tarOf(layers[2] ?? []);
  const packed = await door.putDocument(gzipSync(plain), "application/vnd.oci.image.layer.v1.tar+gzip", lease);
  const last = { diffId: digestOf(plain), blob: packed };
  stack = await door.put(stack, last, lease, signal);
  const parts = { layers: door, shim: room.shim, mountPoint: join(room.folder, "layers", ".mount") };
  const joined = await squash(parts, below.stack, [...above, last], lease, signal);
  assert.ok(joined !== undefined);
  assert.deepEqual(await listed(parts, joined.stack), await listed(parts, stack));
  assert.equal(await squash(parts, below.stack, [], lease, signal), undefined);
});

/** Names below one folder, as few layers as may be: what goes wrong goes wrong here. */
const entry = fc.record({
  path: fc.constantFrom(
    "a",
    "a/",
    "a/x",
    "a/y/",
    "a/y/z",
    "b",
    ".wh.a",
    "a/.wh.x",
    "a/.wh.y",
    "a/.wh..wh..opq",
    "a/y/.wh.z",
    ".wh.b",
  ),
  mode: fc.constantFrom(0o700, 0o755),
});

test("squashLayers: any layers, on any base, make the same files joined and apart", async () => {
  await using room = await openTestRoom();
  const stacks = fc.array(fc.uniqueArray(entry, { maxLength: 5, selector: ({ path }) => path.replace(/\/$/, "") }), {
    minLength: 2,
    maxLength: 4,
  });
  await fc.assert(
    fc.asyncProperty(stacks, async (random) => {
      const [bottom = noBytes, ...above] = await Promise.all(random.map(async (each) => await tarOf(possible(each))));
      const joined = await bytesOf(
        squashLayers(
          above.map((tar) => () => onePiece(tar)),
          signal,
        ),
      );
      assert.deepEqual(await filesOf(room, [bottom, joined]), await filesOf(room, [bottom, ...above]));
    }),
    { numRuns: 25 },
  );
});

const noBytes = Buffer.alloc(0);

/** What a layer can be: nothing lies below what is no directory, directories come first; who marks one describes it. */
function possible(entries: readonly { readonly path: string; readonly mode: number }[]): TestEntry[] {
  const paths: readonly string[] = entries.map(({ path }) => path);
  const files = new Set<string>(paths.filter((path) => path === "a" || path === "b"));
  const marked = paths.includes("a/.wh..wh..opq") && !paths.includes("a/") ? [{ path: "a/", mode: 0o711 }] : [];
  return [...marked, ...entries]
    .filter(({ path }) => !files.has(path.split("/")[0] ?? "") || files.has(path))
    .toSorted((one, other) => (one.path < other.path ? -1 : 1))
    .map(({ path, mode }) => {
      if (path.endsWith("/")) return { path, mode };
      return { path, mode, data: path.includes(".wh.") ? "" : `${path} ${mode}` };
    });
}

async function filesOf(room: TestRoom, tars: readonly Buffer[]): Promise<string[]> {
  const { layers } = room.images;
  await using lease = layers.lease();
  let stack: Digest | undefined;
  for (const tar of tars) ({ stack } = await layers.add(stack, onePiece(tar), lease, signal));
  return await listed({ layers, shim: room.shim, mountPoint: join(room.folder, "layers", ".mount") }, stack);
}

async function listed(parts: RootParts, stack: Digest | undefined): Promise<string[]> {
  const lines: string[] = [];
  for await (const { header, data } of readStack(parts, stack, signal)) {
    const { type, mode, uid, path, linkPath } = header;
    lines.push(`${type} ${mode.toString(8)} ${uid} ${path} ${linkPath} ${(await bytesOf(data)).toString()}`);
  }
  return lines;
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
