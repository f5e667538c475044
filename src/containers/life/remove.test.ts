import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isFault } from "#core/fault";
import { databaseFaults } from "#fixtures/full-database";
import { type Bed, openBed } from "../testing/bed.ts";
import { foldersOf } from "./folders.ts";

let bed: Bed;
before(async () => void (bed = await openBed()));
after(async () => await bed[Symbol.asyncDispose]());

test("remove, prune: where the database finds no room, at each of its writes, a container is whole or gone with all it had, and goes once there is room", async () => {
  using faults = databaseFaults();
  const removals = {
    remove: async (id: string) => await bed.containers.remove(id, { force: false, volumes: true }),
    prune: async () => await bed.containers.prune({}),
  };
  for (const [name, removal] of Object.entries(removals)) {
    let failures = 0;
    for (let nth = 1; ; nth++) {
      const { id } = await bed.run({ command: ["true"] });
      faults.failAt(nth);
      const failure: unknown = await removal(id).then(
        () => undefined,
        (error: unknown) => error,
      );
      const hasFailed = faults.disarm();
      assert.ok(failure === undefined || isFault(failure, "exhausted"), `${name} failing at ${nth}`);
      const isThere = bed.containers.list({ all: true, filters: {} }).some((each) => each.id === id);
      const { data } = foldersOf(bed.host.paths, id);
      if (isThere) {
        assert.ok(existsSync(data), `${name} failing at ${nth}`);
        await removal(id);
      }
      for (let tries = 0; existsSync(data) && tries < 100; tries++) await sleep(20);
      assert.ok(!existsSync(data), `${name} failing at ${nth}`);
      assert.equal(bed.events.filter(({ action, actorId }) => action === "destroy" && actorId === id).length, 1);
      if (!hasFailed) break;
      failures++;
    }
    assert.ok(failures > 1, `${name} failed ${failures} times`);
  }
  assert.deepEqual(bed.unexpected, []);
});
