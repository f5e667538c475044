import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { mustRun } from "#fixtures/program";
import { openDatabase } from "./database.ts";
import { engineId } from "./engine-id.ts";
import { fileSystemOf } from "./file-system.ts";

test("engineId: a UUID that the next daemon on the same data has too, and another one has not", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-id-"));
  try {
    const ids = ["a.db", "a.db", "b.db"].map((name) => {
      const database = openDatabase(join(folder, name));
      const id = engineId(database);
      assert.equal(engineId(database), id);
      database.close();
      return id;
    });
    assert.match(ids[0] ?? "", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.equal(ids[1], ids[0]);
    assert.notEqual(ids[2], ids[0]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("fileSystemOf: the name that stat knows, in Docker's words", async () => {
  const words = new Map([
    ["ext2/ext3", "extfs"],
    ["overlayfs", "overlayfs"],
    ["tmpfs", "tmpfs"],
    ["xfs", "xfs"],
    ["btrfs", "btrfs"],
  ]);
  assert.equal(fileSystemOf("/dev/shm"), "tmpfs");
  for (const path of ["/", "/run", tmpdir()]) {
    const known = words.get((await mustRun("stat", ["-f", "-c", "%T", path])).trim());
    assert.equal(fileSystemOf(path), known ?? fileSystemOf(path));
  }
  assert.equal(fileSystemOf("/proc"), "<unknown>");
});
