import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "#core/clock";
import { openDatabase } from "../../host/database.ts";
import { CacheMounts } from "./cache-mounts.ts";
import { migrations } from "./migrations.ts";

test("CacheMounts: one that nobody uses is measured once, and again after each use", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-cache-mounts-"));
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => await rm(folder, { recursive: true }));
  const database = openDatabase(":memory:");
  undo.defer(() => database.close());
  database.migrate("build", migrations);
  const mounts = new CacheMounts(database, systemClock, folder);
  const request = { id: "npm", sharing: "shared", mode: 0o755, uid: 0, gid: 0 } as const;
  const use = async () => await mounts.take(request, async () => await Promise.resolve(), AbortSignal.timeout(10_000));
  let measured = 0;
  const size = async (): Promise<number | undefined> => {
    const [record] = mounts.all();
    return record && (await mounts.bytesOf(record, async () => await Promise.resolve(++measured)));
  };
  const first = await use();
  // It grows under its user's hands.
  assert.deepEqual([await size(), await size()], [1, 2]);
  await first[Symbol.asyncDispose]();
  assert.deepEqual([await size(), await size()], [3, 3]);
  const second = await use();
  await second[Symbol.asyncDispose]();
  assert.deepEqual([await size(), await size()], [4, 4]);
  const [record] = mounts.all();
  assert.ok(record !== undefined && (await mounts.remove(record.name)));
  assert.equal(await size(), undefined);
});
