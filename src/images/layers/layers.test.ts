import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type Digest, digestOf } from "#core/digest";
import { isFault } from "#core/fault";
import type { ImageConfig } from "#core/oci";
import { parseReference } from "#core/reference";
import { chainIdOf } from "../chain-id.ts";
import { openTestRoom, piecesOf, tarOf, type TestEntry, type TestRoom } from "../images.fixture.ts";
import type { Lease } from "../leases.ts";
import type { StackLayer } from "../layers.ts";

const signal = new AbortController().signal;
const config: Omit<ImageConfig, "rootfs"> = { architecture: "amd64", os: "linux", created: "2024-01-01T00:00:00Z" };

interface Added {
  readonly layer: StackLayer;
  readonly stack: Digest;
}

async function add({ images }: TestRoom, below: Digest | undefined, lease: Lease, entries: readonly TestEntry[]) {
  return await images.layers.add(below, piecesOf(await tarOf(entries)), lease, signal);
}

/** Runs a shell text in a root over a stack, as a program of a container would, and seals it. */
async function write(
  room: TestRoom,
  below: Digest | undefined,
  text: string,
  lease: Lease,
  options: { readonly epochSeconds?: number; readonly without?: readonly string[] } = {},
): Promise<Added | undefined> {
  const { images, shim, folder } = room;
  const name = `step-${Math.random().toString(36).slice(2)}`;
  await images.layers.createRoot(below, name);
  const target = join(folder, "layers", ".mount");
  const mounts = images.openRoot(name).mountsAt(target);
  const end = await shim.runToEnd({ argv: ["sh", "-ec", text], cwd: target, mounts, env: { LC_ALL: "C", TZ: "UTC" } });
  assert.equal(end.code, 0, end.stderr);
  const sealed = await images.layers.seal(name, { without: [], ...options }, lease, signal);
  await images.dropRoot(name);
  return sealed;
}

/** What a stack shows: a digest of all that a tar of it tells. */
async function shown(room: TestRoom, stack: Digest | undefined): Promise<string> {
  const target = join(room.folder, "layers", ".mount");
  const argv = [
    "sh",
    "-c",
    "tar -c --format=pax --pax-option=exthdr.name=%d/%f,delete=atime,delete=ctime --sort=name --numeric-owner --xattrs --xattrs-include=* --xattrs-exclude=trusted.overlay.* .",
  ];
  const mounts = room.images.layers.shownAt(stack, target);
  const { stdout, code, stderr } = await room.shim.runToEnd({ argv, cwd: target, mounts, env: { LC_ALL: "C" } });
  assert.equal(code, 0, stderr);
  return createHash("sha256").update(stdout).digest("hex");
}

/** What lies in a stack, its root aside: that has the time when it was made. */
async function listed(room: TestRoom, stack: Digest): Promise<string> {
  const target = join(room.folder, "layers", ".mount");
  const find = String.raw`find . -mindepth 1 -printf '%p %y %m %U %G %n %s %t %l\n' | sort; cat app/deep/file`;
  const mounts = room.images.layers.shownAt(stack, target);
  const { stdout, code, stderr } = await room.shim.runToEnd({ argv: ["sh", "-c", find], cwd: target, mounts });
  assert.equal(code, 0, stderr);
  return Buffer.from(stdout).toString();
}

async function blobOf(room: TestRoom, { layer }: Added): Promise<Buffer> {
  const hex = layer.blob.digest.slice("sha256:".length);
  const folder = join(room.folder, "content");
  const places = readdirSync(folder).filter((name) => name.startsWith("unsynced-"));
  const all = [...places.map((name) => join(folder, name)), join(folder, "blobs/sha256")];
  const place = all.find((each) => existsSync(join(each, hex)));
  assert.ok(place !== undefined, `${hex} is nowhere`);
  return await readFile(join(place, hex));
}

const base: readonly TestEntry[] = [
  { path: "etc/" },
  { path: "etc/passwd", data: "root:x:0:0::/:/bin/sh\n", uid: 3, gid: 4, mode: 0o640 },
  { path: "etc/group", data: "root:x:0:\n" },
  { path: "var/" },
  { path: "var/old", data: "old" },
  { path: "var/gone/" },
  { path: "var/gone/deep", data: "deep" },
  { path: "link", type: "symlink", linkPath: "/etc/passwd" },
  { path: "out", type: "symlink", linkPath: "../../../../etc" },
  { path: "nowhere", type: "symlink", linkPath: "/not/there" },
];

test("Layers.add: the blob is the tar, its digest the DiffID, the same tar the same layer", async () => {
  await using room = await openTestRoom();
  await using lease = room.images.layers.lease();
  const tar = await tarOf(base);
  const first = await room.images.layers.add(undefined, piecesOf(tar), lease, signal);
  const second = await room.images.layers.add(undefined, piecesOf(tar), lease, signal);
  assert.deepEqual(first, second);
  assert.equal(first.layer.diffId, digestOf(tar));
  assert.equal(first.layer.blob.digest, digestOf(tar));
  assert.equal(first.layer.blob.size, tar.length);
  const above = await add(room, first.stack, lease, [{ path: "var/.wh.old" }, { path: "more", data: "more" }]);
  assert.equal(above.stack, chainIdOf(first.stack, above.layer.diffId));
  assert.ok(room.images.layers.has(above.stack));
  assert.equal(room.images.layers.sizeBytesOf(above.stack), 4);
  assert.equal(await room.images.layers.look(above.stack, "/var/old"), undefined);
  assert.equal(await room.images.layers.readFile(above.stack, "more"), "more");
});

test("Layers.add: a hostile or broken tar leaves nothing", async () => {
  await using room = await openTestRoom();
  const folders = readdirSync(join(room.folder, "layers"));
  const hostile: TestEntry[][] = [
    [
      { path: "../../escape", data: "x" },
      { path: "a", type: "hardlink", linkPath: "/etc/shadow" },
    ],
    [
      { path: "f", data: "x" },
      { path: "f/g", data: "y" },
    ],
  ];
  for (const entries of hostile) {
    await using lease = room.images.layers.lease();
    await assert.rejects(add(room, undefined, lease, entries), (error) => isFault(error, "invalid"));
  }
  await using lease = room.images.layers.lease();
  const cut = (await tarOf(base)).subarray(0, 2000);
  await assert.rejects(
    room.images.layers.add(undefined, piecesOf(cut), lease, signal),
    (error) => isFault(error, "invalid") || isFault(error, "internal"),
  );
  assert.deepEqual(readdirSync(join(room.folder, "layers")), folders);
  assert.deepEqual(readdirSync(join(room.folder, "content/ingest")), []);
  assert.deepEqual(await room.images.blobs(), []);
});

test("Layers.add: a plain tar of our own makes what the same tar makes when it is looked through", async () => {
  const entries: readonly TestEntry[] = [
    { path: "app/", mode: 0o700, uid: 7 },
    { path: "app/deep/" },
    {
      path: "app/deep/file",
      data: "some data",
      mode: 0o4755,
      uid: 5,
      gid: 6,
      pax: new Map([["SCHILY.xattr.user.k", "v"]]),
    },
    { path: "app/deep/link", type: "hardlink", linkPath: "app/deep/file" },
    { path: "app/symlink", type: "symlink", linkPath: "../etc/passwd" },
    { path: "app/pipe", type: "fifo" },
  ];
  const made = [];
  for (const plain of [undefined, { sizeBytes: "some data".length }]) {
    await using room = await openTestRoom();
    await using lease = room.images.layers.lease();
    const { stack: below } = await add(room, undefined, lease, base);
    const tar = piecesOf(await tarOf(entries));
    const { layer, stack } = await room.images.layers.add(below, tar, lease, signal, plain);
    made.push([layer, stack, room.images.layers.sizeBytesOf(stack), await listed(room, stack)]);
  }
  assert.deepEqual(made[1], made[0]);
});

test("Layers.look and readFile: symlinks are followed and lead nowhere outside", async () => {
  await using room = await openTestRoom();
  await using lease = room.images.layers.lease();
  const { stack } = await add(room, undefined, lease, base);
  const { layers } = room.images;
  const file = { path: "/etc/passwd", kind: "file", mode: 0o640, uid: 3, gid: 4 };
  assert.deepEqual(await layers.look(stack, "/link"), file);
  assert.deepEqual(await layers.look(stack, "out/passwd"), file);
  assert.equal((await layers.look(stack, "/"))?.kind, "directory");
  for (const path of ["/nowhere", "/not", "/etc/passwd/below"]) assert.equal(await layers.look(stack, path), undefined);
  assert.equal(await layers.look(undefined, "/etc"), undefined);
  assert.match((await layers.readFile(stack, "/out/passwd")) ?? "", /^root:x:0/);
  assert.equal(await layers.readFile(stack, "/etc"), undefined);
});

test("Layers.seal: what the layer's folder holds is what unpacking its blob makes: whiteouts, opaque folders, hard links, attributes", async () => {
  await using room = await openTestRoom();
  await using lease = room.images.layers.lease();
  const { stack } = await add(room, undefined, lease, base);
  const text = `
    rm var/old; rm -r var/gone; mkdir var/gone; echo new >var/gone/new
    mkdir -m 1777 tmp; echo one >tmp/one; ln tmp/one tmp/two; ln -s one tmp/three; mkfifo tmp/pipe
    touch -d 2001-02-03T04:05:06.789 tmp/one; chown 5:6 tmp/two; setfattr -n user.note -v hi tmp/one
    chmod 600 etc/group; mkdir deep; mkdir deep/er; dd if=/dev/zero of=deep/er/zeros bs=1M count=3 2>/dev/null`;
  const sealed = await write(room, stack, text, lease);
  assert.ok(sealed);
  const folder = await shown(room, sealed.stack);
  await using other = await openTestRoom();
  await using otherLease = other.images.layers.lease();
  await add(other, undefined, otherLease, base);
  const again = await other.images.layers.add(stack, piecesOf(await blobOf(room, sealed)), otherLease, signal);
  assert.deepEqual(again, sealed);
  assert.equal(await shown(other, again.stack), folder);
  assert.equal(other.images.layers.sizeBytesOf(again.stack), room.images.layers.sizeBytesOf(sealed.stack));
  assert.equal(await room.images.layers.look(sealed.stack, "/var/gone/deep"), undefined);
});

test("Layers.seal: sockets, clamped times and odd attributes make a layer all the same", async () => {
  await using room = await openTestRoom();
  await using lease = room.images.layers.lease();
  const { stack } = await add(room, undefined, lease, base);
  const text = `echo a >a; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("s")'; setfattr -n trusted.mine -v 1 a`;
  const first = await write(room, stack, text, lease, { epochSeconds: 1_000_000_000 });
  const second = await write(room, stack, text, lease, { epochSeconds: 1_000_000_000 });
  assert.ok(first);
  assert.deepEqual(first, second);
  assert.equal(await room.images.layers.look(first.stack, "/s"), undefined);
  assert.equal((await room.images.layers.look(first.stack, "/a"))?.kind, "file");
});

test("Layers.seal: nothing written is no layer; empty leftovers of mounts are nothing", async () => {
  await using room = await openTestRoom();
  await using lease = room.images.layers.lease();
  const { stack } = await add(room, undefined, lease, base);
  assert.equal(await write(room, stack, "true", lease), undefined);
  const without = ["/mnt", "/mnt/cache", "/secret"];
  assert.equal(await write(room, stack, "mkdir -p mnt/cache; touch secret", lease, { without }), undefined);
  const kept = await write(room, stack, "mkdir -p mnt/cache; echo x >mnt/cache/x; echo y >secret", lease, { without });
  assert.ok(kept);
  assert.equal(await room.images.layers.readFile(kept.stack, "/mnt/cache/x"), "x\n");
});

test("Layers.seal: a name that means a removal is refused, and nothing stays", async () => {
  await using room = await openTestRoom();
  await using lease = room.images.layers.lease();
  const { stack } = await add(room, undefined, lease, base);
  await assert.rejects(write(room, stack, "echo x >.wh.x", lease), (error) => isFault(error, "invalid"));
  assert.deepEqual(readdirSync(join(room.folder, "content/ingest")), []);
});

test("Layers.assemble: the same layers and configuration are the same image, and commit, ofImage and run know it", async () => {
  await using room = await openTestRoom();
  const { images } = room;
  await using lease = images.layers.lease();
  const { stack, layer } = await add(room, undefined, lease, base);
  const above = await write(room, stack, "echo built >built", lease);
  assert.ok(above);
  const layers = [layer, above.layer];
  const first = await images.layers.assemble({ config, layers, tags: [parseReference("built:1")] }, lease);
  const second = await images.layers.assemble({ config, layers, tags: [] }, lease);
  assert.deepEqual(first, second);
  assert.deepEqual(await images.layers.ofImage(first.id), layers);
  await images.createRoot(first.id, "c1");
  assert.equal(await room.inRoot("c1", "cat built; ls var"), "built\ngone\nold\n");
  for await (const { text } of images.check({ repair: false, isContainer: () => true }, signal)) assert.fail(text);
});

test("Layers.hold: what an owner holds stays over restarts and collections, until it lets go", async () => {
  await using room = await openTestRoom();
  const held = await (async () => {
    await using lease = room.images.layers.lease();
    const added = await add(room, undefined, lease, base);
    room.images.layers.hold("build:1", { stacks: [added.stack], blobs: [added.layer.blob.digest] });
    return added;
  })();
  const images = await room.reopen();
  await images.collect(new Set());
  assert.ok(images.layers.has(held.stack));
  assert.deepEqual(await images.blobs(), [held.layer.blob.digest]);
  const { heldPieces } = await images.holdings();
  assert.deepEqual([...heldPieces].sort(), [`blob:${held.layer.blob.digest}`, held.stack].sort());
  await using lease = images.layers.lease();
  assert.equal(await images.layers.put(undefined, held.layer, lease, signal), held.stack);
  await lease[Symbol.asyncDispose]();
  assert.ok(images.layers.has(held.stack));
  await images.layers.letGo(["build:1"]);
  assert.equal(images.layers.has(held.stack), false);
  assert.deepEqual(await images.blobs(), []);
});

test("Layers: what no image has made durable is not believed after another boot, and nothing of it stays; what an image has is there", async () => {
  await using room = await openTestRoom();
  const [passing, lasting] = await (async () => {
    await using lease = room.images.layers.lease();
    const lower = await add(room, undefined, lease, base);
    const upper = await add(room, lower.stack, lease, [{ path: "x", data: "x" }]);
    room.images.layers.hold("build:1", { stacks: [upper.stack], blobs: [upper.layer.blob.digest] });
    await room.images.layers.assemble({ config, layers: [lower.layer], tags: [parseReference("kept:1")] }, lease);
    return [upper, lower];
  })();
  const same = await room.reopen();
  await same.collect(new Set());
  assert.ok(same.layers.has(passing.stack));
  const images = await room.reopen("boot-2");
  assert.ok(!images.layers.has(passing.stack));
  assert.ok(images.layers.has(lasting.stack));
  await images.collect(new Set());
  assert.ok(!(await images.blobs()).includes(passing.layer.blob.digest));
  assert.ok((await images.blobs()).includes(lasting.layer.blob.digest));
  for await (const { text } of images.check({ repair: false, isContainer: () => true }, signal)) assert.fail(text);
});
