import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Digest } from "#core/digest";
import { bytesOf, openTestRoom, tarOf, type TestEntry, type TestRoom } from "../../images/images.fixture.ts";
import { linesOf } from "../steps/copy.fixture.ts";
import { readStack } from "./root-tar.ts";
import { squashLayers } from "./squash.ts";

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

async function filesOf(room: TestRoom, tars: readonly Buffer[]): Promise<string[]> {
  const { layers } = room.images;
  await using lease = layers.lease();
  let stack: Digest | undefined;
  for (const tar of tars) ({ stack } = await layers.add(stack, onePiece(tar), lease, signal));
  const parts = { layers, shim: room.shim, mountPoint: join(room.folder, "layers", ".mount") };
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
