import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Containers } from "#containers";
import { databaseFaults } from "#fixtures/full-database";
import type { Volumes } from "#volumes";
import { openDatabase } from "../host/database.ts";
import { dockerArchive, loadBytes, openTestRoom, tarOf } from "../images/images.fixture.ts";
import { openDisk } from "./open.ts";

test("a database without room: gc says so, the look in the background says so and goes on, and once there is room all goes that should", async () => {
  await using room = await openTestRoom();
  const { images } = room;
  const layer = await tarOf([{ path: "data", data: "x".repeat(2_000_000) }]);
  await loadBytes(images, await dockerArchive([{ tags: ["old:1"], layers: [layer] }]));
  const folder = await mkdtemp(join(tmpdir(), "slipway-full-disk-"));
  const database = openDatabase(join(folder, "db"));
  const warned: string[] = [];
  const say = (text: string): void => void warned.push(text);
  const inThreeDays = { now: () => BigInt(Date.now() + 3 * 86_400_000) * 1_000_000n };
  const containers: Partial<Containers> = {
    list: () => [],
    sizes: async () => new Map(),
    logUsage: async () => ({ old: [], totalBytes: 0 }),
  };
  const volumes: Partial<Volumes> = { usage: async () => [] };
  using faults = databaseFaults();
  const disk = openDisk({
    host: { clock: inThreeDays, database, paths: { dataRoot: folder, execRoot: folder, instance: "test" } },
    images,
    containers: containers as Containers,
    volumes: volumes as Volumes,
    events: { emit: () => undefined },
    log: { debug: say, info: say, warn: say, error: say },
    budget: { kind: "size", bytes: 1_000_000 },
    keep: [],
    scrubDays: 7,
  });
  try {
    faults.failAll();
    await assert.rejects(disk.collect({ dryRun: false }), { kind: "exhausted", message: "no space left on device" });
    for (let looks = 0; looks < 2; looks++) {
      warned.length = 0;
      disk.nudge();
      for (let tries = 0; warned.length === 0 && tries < 300; tries++) await sleep(20);
      assert.match(warned.join("\n"), /the disk budget was not looked after: .*no space left on device/);
    }
    assert.equal(images.list({ all: true, filters: {} }).length, 1);
    assert.ok(faults.disarm());
    assert.deepEqual(
      (await disk.collect({ dryRun: false })).collected.map(({ names }) => names),
      [["old:1"]],
    );
    assert.equal(images.list({ all: true, filters: {} }).length, 0);
  } finally {
    faults.disarm();
    await disk.close();
    database.close();
    await rm(folder, { recursive: true });
  }
});
