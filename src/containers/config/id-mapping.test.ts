import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { IdMapping } from "#host";
import { allocateRange, consecutive, defaultPool, parseAuto, parseSubordinate } from "./id-mapping.ts";

test("parseSubordinate: whole lines alone", () => {
  const text = "ana:100000:65536\n1000:200000:10\n# remark:1:2\nbad:x:1\nempty:5:0\ntoo:4294967295:9\nlast:300000:1";
  assert.deepEqual(parseSubordinate(text), [
    { owner: "ana", first: 100_000, size: 65_536 },
    { owner: "1000", first: 200_000, size: 10 },
    { owner: "last", first: 300_000, size: 1 },
  ]);
});

test("consecutive: several ranges of one owner follow each other inside", () => {
  assert.deepEqual(
    consecutive([
      { first: 100_000, size: 10 },
      { first: 500_000, size: 5 },
    ]),
    [
      { inside: 0, outside: 100_000, size: 10 },
      { inside: 10, outside: 500_000, size: 5 },
    ],
  );
});

test("parseAuto: auto, a size, and what is neither", () => {
  assert.deepEqual(
    [parseAuto("auto"), parseAuto("auto:size=1000"), parseAuto("host"), parseAuto("")],
    [{ size: 65_536 }, { size: 1000 }, undefined, undefined],
  );
  for (const mode of ["auto:", "auto:size=", "auto:size=0", "auto:size=9999999999", "auto:uid=1", "auto:size=-1"]) {
    assert.throws(() => parseAuto(mode), { kind: "invalid", message: `invalid user namespace mode: ${mode}` });
  }
});

test("allocateRange: no two containers have an id in common, and what is given back is used again", () => {
  const pool = { first: 1000, size: 500 };
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 120 }))), (steps) => {
      const taken: IdMapping[] = [];
      for (const [give, size] of steps) {
        if (give) taken.splice(size % Math.max(taken.length, 1), 1);
        else {
          try {
            taken.push(allocateRange(pool, size, taken));
          } catch (error) {
            assert.equal((error as { kind?: string }).kind, "exhausted");
          }
        }
        const ids = taken.flatMap(({ uids }) =>
          uids.flatMap((range) => Array.from({ length: range.size }, (_, n) => range.outside + n)),
        );
        assert.equal(new Set(ids).size, ids.length);
        assert.ok(ids.every((id) => id >= 1000 && id < 1500));
      }
    }),
  );
  assert.deepEqual(allocateRange(pool, 500, []).uids, [{ inside: 0, outside: 1000, size: 500 }]);
  assert.throws(() => allocateRange(pool, 501, []), { kind: "exhausted" });
});

test("defaultPool: ends before the id that stands for no user", () => {
  assert.ok(defaultPool.first + defaultPool.size < 2 ** 32 - 2);
});
