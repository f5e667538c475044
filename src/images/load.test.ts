import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { dockerArchive, loadBytes, openTestRoom, tarOf, upperOf } from "./images.fixture.ts";

test("load: a busybox docker-archive runs programs from its overlay root", async () => {
  await using room = await openTestRoom();
  const layer = await tarOf([
    { path: "bin/" },
    { path: "bin/busybox", data: readFileSync("/usr/bin/busybox"), mode: 0o755 },
    { path: "bin/sh", type: "symlink", linkPath: "busybox" },
    { path: "etc/" },
    { path: "etc/passwd", data: "root:x:0:0:root:/root:/bin/sh\n" },
  ]);
  for (const pack of [(bytes: Buffer) => bytes, gzipSync, zstdCompressSync]) {
    const lines = await loadBytes(
      room.images,
      pack(await dockerArchive([{ tags: ["busybox:latest"], layers: [layer] }])),
    );
    assert.equal(lines.at(-1)?.stream, "Loaded image: busybox:latest\n");
  }
  const image = room.images.find("busybox");
  assert.deepEqual(image.repoTags, ["busybox:latest"]);
  assert.equal(image.createdNs, 1_714_979_289_123_456_789n);
  await room.images.createRoot(image.id, "c1");
  assert.match(
    await room.inRoot(
      "c1",
      "chroot . /bin/busybox uname -s && chroot . /bin/sh -c 'echo it works > /etc/new; /bin/busybox cat /etc/new'",
    ),
    /Linux\nit works/,
  );
  assert.equal(readFileSync(join(upperOf(room.images.openRoot("c1")), "etc/new"), "utf8"), "it works\n");
  assert.equal((await room.images.rootSizes([{ container: "c1", settled: false }])).get("c1"), 9);
  assert.match((await room.images.readRootFile("c1", "etc/passwd")) ?? "", /^root:/);
  assert.equal((await room.images.readRootFile("c1", "/etc/../etc/new")) ?? "", "it works\n");
  assert.equal(await room.images.readRootFile("c1", "/etc/none"), undefined);
  await room.images.dropRoot("c1");
  assert.deepEqual(readdirSync(join(room.folder, "roots")), []);
  assert.equal(room.events.filter((event) => event.action === "load").length, 3);
});
