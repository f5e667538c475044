import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { digestOf, hexOf } from "#core/digest";
import { Fault } from "#core/fault";
import { LayerTree } from "./layer-tree.ts";
import {
  configOf,
  dockerArchive,
  loadBytes,
  openTestRoom,
  tarOf,
  type TestEntry,
  type TestRoom,
} from "./images.fixture.ts";

/** Loads and expects a Fault; then nothing of it may be left. */
async function refused(room: TestRoom, archive: Uint8Array, message: RegExp): Promise<void> {
  await assert.rejects(loadBytes(room.images, archive), (error) => {
    assert.ok(error instanceof Fault, String(error));
    assert.match(error.message, message);
    return true;
  });
  assertClean(room);
}

function assertClean(room: TestRoom): void {
  const inside = (path: string): string[] =>
    readdirSync(join(room.folder, path)).filter((name) => ![".mount", ".empty", ".mount-points"].includes(name));
  assert.deepEqual(inside("content/blobs/sha256"), []);
  assert.deepEqual(inside("content/ingest"), []);
  assert.deepEqual(inside("layers"), []);
  assert.deepEqual(room.images.list({ all: true, filters: {} }), []);
  assert.equal(room.images.layerUse().layersBytes, 0);
}

test("load: layers that leave their root or are broken are refused, and nothing is left", async () => {
  await using room = await openTestRoom();
  const layer = async (...entries: TestEntry[]): Promise<Buffer> =>
    await dockerArchive([{ layers: [await tarOf(entries)] }]);
  await refused(room, await layer({ path: "../evil", data: "x" }), /leaves its root/);
  await refused(room, await layer({ path: "a/../../evil", data: "x" }), /leaves its root/);
  await refused(room, await layer({ path: "h", type: "hardlink", linkPath: "../../etc/passwd" }), /leaves its root/);
  await refused(room, await layer({ path: "h", type: "hardlink", linkPath: "/etc/passwd" }), /does not hold/);
  await refused(
    room,
    await layer({ path: "d/" }, { path: "h", type: "hardlink", linkPath: "d" }),
    /hard link to a directory/,
  );
  await refused(
    room,
    await layer({ path: "f", data: "x" }, { path: "f/below", data: "x" }),
    /below what is no directory/,
  );
  await refused(
    room,
    await layer(
      { path: "a", type: "symlink", linkPath: "b" },
      { path: "b", type: "symlink", linkPath: "a" },
      { path: "a/x", data: "" },
    ),
    /too many symbolic links/,
  );
  await refused(
    room,
    await layer({ path: "d/" }, { path: "d/x", data: "" }, { path: "d", data: "" }),
    /directory that it has filled/,
  );
  await refused(room, await layer({ path: "s", type: "symlink", linkPath: "" }), /to nothing/);
  await refused(room, await layer({ path: ".wh." }), /whiteout of nothing/);
  await refused(room, await layer({ path: "n".repeat(256), data: "x" }), /failed to extract/);
  const whole = await tarOf([{ path: "f", data: Buffer.alloc(5000) }]);
  await refused(room, await dockerArchive([{ layers: [whole.subarray(0, 3000)] }]), /truncated/);
  const broken = Buffer.from(whole);
  broken[3] = 0x41;
  await refused(room, await dockerArchive([{ layers: [broken] }]), /invalid tar header/);
  await refused(
    room,
    await dockerArchive([{ layers: [whole], diffIds: [digestOf("another")] }]),
    /invalid diffID for layer/,
  );
  await refused(
    room,
    await dockerArchive([{ layers: [gzipSync(whole).subarray(0, 60)], diffIds: [digestOf(whole)] }]),
    /damaged/,
  );
  await refused(room, await dockerArchive([{ layers: [whole, whole.subarray(0, 700)] }]), /truncated/);
});

test("load: absolute and backward paths within the root are contained in it", async () => {
  await using room = await openTestRoom();
  const canary = join(room.folder, "canary");
  const layer = await tarOf([
    { path: canary, data: "x" },
    { path: "/./a/b/../c", data: "c" },
    { path: "esc", type: "symlink", linkPath: room.folder },
    { path: "esc/canary", data: "through a link" },
    { path: "//dev//null", type: "char", major: 1, minor: 3 },
  ]);
  await loadBytes(room.images, await dockerArchive([{ tags: ["contained:latest"], layers: [layer] }]));
  assert.equal(existsSync(canary), false);
  await room.images.createRoot(room.images.find("contained").id, "c");
  assert.equal(await room.inRoot("c", `cat a/c; cat .${canary}`), "cthrough a link");
  assert.equal(statSync(join(room.folder, "layers")).mode & 0o777, 0o700);
});

test("load: archives that are no archives of images are refused, and nothing is left", async () => {
  await using room = await openTestRoom();
  const layer = await tarOf([{ path: "f", data: "x" }]);
  const config = JSON.stringify(configOf({ layers: [layer] }));
  const docker = async (manifest: unknown, ...more: TestEntry[]): Promise<Buffer> =>
    await tarOf([
      { path: "manifest.json", data: typeof manifest === "string" ? manifest : JSON.stringify(manifest) },
      ...more,
    ]);
  await refused(room, Buffer.from("hello"), /truncated/);
  await refused(room, await tarOf([{ path: "bin/sh", data: "x" }]), /neither manifest.json nor index.json/);
  await refused(room, Buffer.alloc(0), /neither manifest.json nor index.json/);
  await refused(room, await docker("{]"), /no list/);
  await refused(room, await docker([{ Config: 1 }]), /without Config/);
  await refused(room, await docker([{ Config: "c.json", Layers: ["l"] }]), /"c.json" is missing/);
  await refused(room, await docker([{ Config: "c", Layers: ["l"] }], { path: "c", data: config }), /"l" is missing/);
  await refused(room, await docker([{ Config: "c", Layers: [] }], { path: "c", data: config }), /mismatched layers/);
  await refused(
    room,
    await docker([{ Config: "c", Layers: ["l"] }], { path: "c", data: "null" }, { path: "l", data: layer }),
    /no JSON object/,
  );
  await refused(
    room,
    await docker([{ Config: "c", Layers: ["l"], RepoTags: ["Bad:tag"] }], { path: "c", data: config }),
    /must be lowercase/,
  );
  await refused(
    room,
    await docker([{ Config: "c", Layers: ["../../x"] }], { path: "c", data: config }),
    /leaves its root/,
  );
  await refused(
    room,
    await docker(
      [{ Config: "c", Layers: ["l"] }],
      { path: "c", data: config },
      { path: "l", type: "symlink", linkPath: "m" },
      { path: "m", type: "symlink", linkPath: "l" },
    ),
    /too many links/,
  );
  const many = Array.from({ length: 20_001 }, () => ({ path: "d/" }));
  await refused(room, await tarOf(many), /more than 20000 entries/);
});

test("load: configs of the wrong shape and layers that only want our memory are refused", async () => {
  await using room = await openTestRoom();
  const layer = await tarOf([{ path: "f", data: "x" }]);
  for (const config of [
    { Env: "A=b" },
    { Labels: { a: 1 } },
    { Cmd: [1] },
    { Healthcheck: { Test: 1 } },
    { Volumes: [] },
  ]) {
    await refused(room, await dockerArchive([{ layers: [layer], config }]), /config is malformed/);
  }
  const deep = await tarOf([{ path: `${"d/".repeat(1900)}f`, data: "" }]);
  await refused(room, await dockerArchive([{ layers: [deep] }]), /more than 400 folders/);
  assert.throws(() => new LayerTree().spend(257 << 20), /too many or too long names/);
});

test("load: broken OCI layouts are refused, and nothing is left", async () => {
  await using room = await openTestRoom();
  const blob = (data: string | Buffer): TestEntry => ({ path: `blobs/sha256/${hexOf(digestOf(data))}`, data });
  const descriptor = (data: string, more: object = {}): object => ({
    mediaType: "application/vnd.oci.image.index.v1+json",
    digest: digestOf(data),
    size: Buffer.byteLength(data),
    ...more,
  });
  const index = (...manifests: object[]): string => JSON.stringify({ schemaVersion: 2, manifests });
  const layout = async (top: string, ...blobs: TestEntry[]): Promise<Buffer> =>
    await tarOf([
      { path: "oci-layout", data: '{"imageLayoutVersion":"1.0.0"}' },
      { path: "index.json", data: top },
      ...blobs,
    ]);
  await refused(room, await layout("[]"), /no JSON object/);
  await refused(room, await layout(index(descriptor("absent"))), /is missing/);
  await refused(room, await layout(index({ digest: "sha256:../../etc", size: 1 })), /usable sha256 digest/);
  let nested = index();
  const blobs: TestEntry[] = [];
  for (let depth = 0; depth < 12; depth++) {
    blobs.push(blob(nested));
    nested = index(descriptor(nested));
  }
  await refused(room, await layout(nested, ...blobs), /nested too deeply/);
  const other = "another size";
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: digestOf(other), size: 1 },
    layers: [],
  });
  await refused(
    room,
    await layout(index({ digest: digestOf(manifest), size: manifest.length }), blob(manifest), blob(other)),
    /of another size/,
  );
});

test("load: any flipped byte is refused or harmless, and a refused archive leaves nothing", async () => {
  await using room = await openTestRoom();
  const layer = await tarOf([
    { path: "d/" },
    { path: "d/f", data: "some data" },
    { path: "l", type: "symlink", linkPath: "d" },
  ]);
  const archive = await dockerArchive([{ layers: [layer] }]);
  await fc.assert(
    fc.asyncProperty(fc.nat(archive.length - 1), fc.nat(255), async (at, value) => {
      const flipped = Buffer.from(archive);
      flipped[at] = value;
      try {
        await loadBytes(room.images, flipped);
        for (const image of room.images.list({ all: true, filters: {} }))
          await room.images.remove(image.id, { force: true, prune: true });
      } catch (error) {
        assert.ok(error instanceof Fault, String(error));
      }
      assertClean(room);
    }),
    { numRuns: 60 },
  );
});

test("load: a reader that goes away ends the load, and nothing is left", async () => {
  await using room = await openTestRoom();
  const layers = await Promise.all(
    [0, 1, 2, 3].map(async (index) => await tarOf([{ path: `f${index}`, data: Buffer.alloc(3_000_000, index) }])),
  );
  const archive = await dockerArchive([{ layers }]);
  const abort = new AbortController();
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < archive.length; at += 65_536) {
      yield archive.subarray(at, at + 65_536);
      if (at > 4_000_000) abort.abort();
    }
  };
  await assert.rejects(async () => {
    for await (const _ of room.images.load(endless(), { quiet: false }, abort.signal));
  });
  assertClean(room);
  for await (const _ of room.images.load(endless(), { quiet: false }, new AbortController().signal)) break;
  assertClean(room);
});

test("load: a layer that pretends to be another one that is here is refused", async () => {
  await using room = await openTestRoom();
  const [honest, other] = [await tarOf([{ path: "f", data: "honest" }]), await tarOf([{ path: "f", data: "other" }])];
  await loadBytes(room.images, await dockerArchive([{ tags: ["honest:1"], layers: [honest] }]));
  const packed = gzipSync(other);
  const lying = await dockerArchive([{ tags: ["lying:1"], layers: [packed], diffIds: [digestOf(honest)] }]);
  await assert.rejects(loadBytes(room.images, lying), /invalid diffID for layer/);
  assert.throws(() => room.images.find("lying:1"), /No such image/);
  const truthful = await dockerArchive([
    { tags: ["packed:1"], layers: [gzipSync(honest)], diffIds: [digestOf(honest)], config: { User: "1" } },
  ]);
  await loadBytes(room.images, truthful);
  await room.images.remove("packed:1", { force: false, prune: true });
  assert.equal(readdirSync(join(room.folder, "content/blobs/sha256")).length, 3);
});
