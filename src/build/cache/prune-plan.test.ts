import assert from "node:assert/strict";
import { test } from "node:test";
import type { CacheRecord } from "../build.ts";
import { planPrune } from "./prune-plan.ts";

const hourNs = 3_600_000_000_000n;
const nowNs = 1_000n * hourNs;

function record(id: string, given: Partial<CacheRecord> = {}): CacheRecord {
  return {
    id,
    parents: [],
    type: "regular",
    description: `RUN ${id}`,
    inUse: false,
    shared: false,
    sizeBytes: 100,
    createdNs: nowNs - 10n * hourNs,
    usageCount: 1,
    ...given,
  };
}

const facts = { nowNs, freeBytes: 1000 };
const idsOf = (records: readonly CacheRecord[]): string[] => records.map(({ id }) => id);

test("planPrune: what is in use stays, what images have too only goes with all", () => {
  const records = [record("a", { inUse: true }), record("b", { shared: true }), record("c")];
  assert.deepEqual(idsOf(planPrune(records, { all: false, filters: {} }, facts)), ["c"]);
  assert.deepEqual(idsOf(planPrune(records, { all: true, filters: {} }, facts)), ["b", "c"]);
});

test("planPrune: what was not used for longest goes first, and no more than the budget wants", () => {
  const records = [1n, 3n, 2n].map((hours) => record(`${hours}h`, { lastUsedNs: nowNs - hours * hourNs }));
  const prune = (budget: object): string[] => idsOf(planPrune(records, { all: true, filters: {}, ...budget }, facts));
  assert.deepEqual(prune({}), ["3h", "2h", "1h"]);
  assert.deepEqual(prune({ maxUsedBytes: 150 }), ["3h", "2h"]);
  assert.deepEqual(prune({ maxUsedBytes: 300 }), []);
  assert.deepEqual(prune({ reservedBytes: 200 }), ["3h"]);
  assert.deepEqual(prune({ minFreeBytes: 1100 }), ["3h"]);
  assert.deepEqual(prune({ minFreeBytes: 5000, reservedBytes: 250 }), ["3h"]);
});

test("planPrune: filters choose, OR in a key, AND across keys; others are refused", () => {
  const records = [
    record("a1", { lastUsedNs: nowNs - 30n * hourNs }),
    record("b2", { type: "exec.cachemount", lastUsedNs: nowNs - 30n * hourNs }),
    record("c3", { lastUsedNs: nowNs - hourNs, parents: ["a1"] }),
  ];
  const prune = (filters: Record<string, string[]>): string[] =>
    idsOf(planPrune(records, { all: true, filters }, facts));
  assert.deepEqual(prune({ type: ["exec.cachemount"] }), ["b2"]);
  assert.deepEqual(prune({ "unused-for": ["24h"], type: ["regular"] }), ["a1"]);
  assert.deepEqual(prune({ until: ["24h"] }), ["a1", "b2"]);
  assert.deepEqual(prune({ id: ["a", "c3"] }), ["a1", "c3"]);
  assert.deepEqual(prune({ parent: ["a1"] }), ["c3"]);
  assert.throws(() => prune({ colour: ["red"] }), { kind: "invalid", message: "invalid filter 'colour'" });
  assert.throws(() => prune({ "unused-for": ["soon"] }), { kind: "invalid" });
});
