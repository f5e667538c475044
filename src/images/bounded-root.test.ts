import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { text } from "node:stream/consumers";
import { dockerArchive, loadBytes, openTestRoom, tarOf, type TestRoom } from "./images.fixture.ts";

const sizeBytes = 16 * 2 ** 20;

async function roomWithImage(): Promise<TestRoom> {
  const room = await openTestRoom();
  const layer = await tarOf([{ path: "./", mode: 0o751, uid: 7 }, { path: "etc/" }, { path: "etc/old", data: "old" }]);
  await loadBytes(room.images, await dockerArchive([{ tags: ["base:latest"], layers: [layer] }]));
  return room;
}

test("createRoot: with a size the writable layer takes so much and no more, and the file behind it what was written", async () => {
  await using room = await roomWithImage();
  const { images } = room;
  await images.createRoot(images.find("base").id, "c", sizeBytes);
  const file = join(room.folder, "roots/c/disk.img");
  const before = statSync(file);
  assert.equal(before.size, sizeBytes);
  assert.ok(before.blocks * 512 < sizeBytes / 8, `${before.blocks} blocks of an empty disk`);
  assert.equal(await room.inRoot("c", "stat -c '%a %u' ."), "751 7\n");
  assert.equal(await sizeOf(room), 0);
  const full = await room.inRoot("c", "dd if=/dev/zero of=big bs=1M count=32 2>&1; stat -c %s big");
  assert.match(full, /No space left on device/);
  const written = Number(full.trim().split("\n").at(-1));
  assert.ok(written > sizeBytes * 0.7 && written < sizeBytes, `${written} bytes fitted in`);
  assert.equal(await sizeOf(room), written);
  // What is deleted inside comes back outside.
  await room.inRoot("c", "rm big; sync -f .");
  await room.inRoot("c", "sync -f .");
  assert.ok(statSync(file).blocks * 512 < sizeBytes / 4, `${statSync(file).blocks} blocks`);
  await images.dropRoot("c");
  assert.equal(statSync(file, { throwIfNoEntry: false }), undefined);
  assert.equal(devicesOf(room), "");
});

test("createRoot: with a size all that others do with roots works too, also while it is mounted", async () => {
  await using room = await roomWithImage();
  const { images, shim } = room;
  const root = await images.createRoot(images.find("base").id, "c", sizeBytes);
  assert.match(root.driver.data["Disk"] ?? "", /disk\.img$/);
  const target = join(room.folder, "layers", ".mount");
  const script = "rm etc/old; mkdir new; echo text >new/file; echo ready; cat";
  await using busy = await shim.run({ argv: ["sh", "-c", script], cwd: target, mounts: root.mountsAt(target) });
  const output = text(busy.stdout);
  await untilWritten(room);
  assert.deepEqual(
    (await images.rootChanges("c")).map(({ kind, path }) => `${kind} ${path}`),
    ["modified /etc", "deleted /etc/old", "added /new", "added /new/file"],
  );
  assert.equal(devicesOf(room).trim().split("\n").length, 1, "one device for all");
  assert.equal(await images.readRootFile("c", "/new/file"), "text\n");
  assert.equal(await sizeOf(room), 5);
  const commit = { config: {}, changes: [], author: "", comment: "", createdBy: "" };
  const id = await images.commitRoot("c", commit, AbortSignal.timeout(60_000));
  await images.createRoot(id, "copy");
  assert.equal(await room.inRoot("copy", "cat new/file; ls etc"), "text\n");
  await busy.end();
  assert.equal(await output, "ready\n");
  assert.equal((await busy.ended).code, 0);
  assert.equal(devicesOf(room), "");
  // After the last mount, from the disk again.
  assert.equal(await room.inRoot("c", "cat new/file"), "text\n");
});

test("createRoot: a size that no file system can have leaves nothing behind", async () => {
  await using room = await roomWithImage();
  const { images } = room;
  await assert.rejects(images.createRoot(images.find("base").id, "c", 4096), {
    kind: "internal",
    message: /mkfs\.ext4/,
  });
  assert.throws(() => images.openRoot("c"), { kind: "notFound" });
  assert.equal(statSync(join(room.folder, "roots/c"), { throwIfNoEntry: false }), undefined);
});

/** The loop devices of the room's files. */
function devicesOf(room: TestRoom): string {
  const { stdout } = spawnSync("losetup", ["--list", "--noheadings", "--output", "NAME,BACK-FILE"], {
    encoding: "utf8",
  });
  const lines = stdout.split("\n").filter((line) => line.includes(room.folder));
  return lines.join("\n");
}

async function untilWritten({ images }: TestRoom): Promise<void> {
  for (let tries = 0; tries < 100; tries++) if ((await images.rootChanges("c")).length >= 4) return;
  assert.fail(JSON.stringify(await images.rootChanges("c")));
}

async function sizeOf({ images }: TestRoom): Promise<number | undefined> {
  return (await images.rootSizes([{ container: "c", settled: false }])).get("c");
}
