import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Candidate, candidateKinds, graceNs, graceWhenFullNs, type Picture, planCollection } from "./plan.ts";

const nowNs = 1_000n * graceNs;

function image(id: string, ageHours: number, pieces: readonly string[], kind: Candidate["kind"] = "image"): Candidate {
  return { kind, id, names: [`${id}:latest`], usedNs: nowNs - BigInt(ageHours) * 3_600_000_000_000n, pieces };
}

function picture(fields: Partial<Picture> & { readonly sizes: Readonly<Record<string, number>> }): Picture {
  const { sizes, ...given } = fields;
  return {
    nowNs,
    usedBytes: 1000,
    limitBytes: 900,
    isFull: false,
    candidates: [],
    pieces: new Map(Object.entries(sizes)),
    heldPieces: new Set(),
    ...given,
  };
}

const goes = (given: Picture): string[] => planCollection(given).steps.map(({ candidate }) => candidate.id);

test("planCollection: nothing within the budget; beyond it the least recently used go first, to just below it", () => {
  const candidates = [image("new", 30, ["n"]), image("old", 900, ["o"]), image("middle", 400, ["m"])];
  const sizes = { n: 100, o: 100, m: 100 };
  assert.deepEqual(goes(picture({ candidates, sizes, usedBytes: 900 })), []);
  assert.deepEqual(goes(picture({ candidates, sizes, usedBytes: 901 })), ["old"]);
  assert.deepEqual(goes(picture({ candidates, sizes, usedBytes: 1000 })), ["old", "middle"]);
});

test("planCollection: untagged images before tagged ones, old logs last", () => {
  const candidates = [
    image("log", 9000, ["l"], "old log"),
    image("tagged", 900, ["t"]),
    image("untagged", 30, ["u"], "untagged image"),
  ];
  const sizes = { l: 10, t: 10, u: 10 };
  assert.deepEqual(goes(picture({ candidates, sizes, usedBytes: 1000 })), ["untagged", "tagged", "log"]);
});

test("planCollection: shared pieces count with the last one that has them; who frees nothing stays", () => {
  const candidates = [image("a", 900, ["base", "a"]), image("b", 800, ["base"]), image("c", 700, ["held", "c"])];
  const sizes = { base: 500, a: 1, c: 2, held: 400 };
  const heldPieces = new Set(["held"]);
  assert.deepEqual(
    planCollection(picture({ candidates, sizes, heldPieces })).steps.map(({ freedBytes }) => freedBytes),
    [1, 500],
  );
  assert.deepEqual(goes(picture({ candidates: candidates.slice(2), sizes: { ...sizes, c: 0 }, heldPieces })), []);
});

test("planCollection: what was used within the grace stays, which is shorter when the disk is full", () => {
  const candidates = [image("fresh", 0, ["f"]), image("today", 5, ["t"])];
  const sizes = { f: 500, t: 500 };
  assert.deepEqual(goes(picture({ candidates, sizes })), []);
  assert.deepEqual(goes(picture({ candidates, sizes, isFull: true })), ["today"]);
});

test("planCollection: for any picture: nothing held or fresh goes, nothing needless, the target is reached if it can be", () => {
  const pieceIds = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];
  const anyCandidate = fc.record({
    kind: fc.constantFrom(...candidateKinds),
    id: fc.uuid(),
    names: fc.constant([]),
    usedNs: fc.bigInt({ min: 0n, max: 3n * graceNs }).map((age) => nowNs - age),
    pieces: fc.subarray(pieceIds),
  });
  const anyPicture: fc.Arbitrary<Picture> = fc.record({
    nowNs: fc.constant(nowNs),
    usedBytes: fc.integer({ min: 0, max: 2000 }),
    limitBytes: fc.integer({ min: 1, max: 1500 }),
    isFull: fc.boolean(),
    candidates: fc.uniqueArray(anyCandidate, { selector: ({ id }) => id, maxLength: 12 }),
    pieces: fc
      .array(fc.integer({ min: 0, max: 400 }), { minLength: 8, maxLength: 8 })
      .map((sizes) => new Map(pieceIds.map((id, index) => [id, sizes[index] ?? 0]))),
    heldPieces: fc.subarray(pieceIds).map((ids) => new Set(ids)),
  });
  fc.assert(
    fc.property(anyPicture, (given) => {
      const { steps, freedBytes, targetBytes } = planCollection(given);
      const going = steps.map(({ candidate }) => candidate);
      const needed = given.usedBytes > given.limitBytes ? given.usedBytes - targetBytes : 0;
      const grace = given.isFull ? graceWhenFullNs : graceNs;
      assert.ok(going.every(({ usedNs }) => nowNs - usedNs > grace));
      assert.equal(freedBytes, freedBy(given, going));
      assert.equal(
        steps.reduce((sum, step) => sum + step.freedBytes, 0),
        freedBytes,
      );
      if (needed === 0) assert.deepEqual(going, []);
      // Whether all that may go would do.
      const all = given.candidates.filter(({ usedNs }) => nowNs - usedNs > grace);
      assert.ok(freedBytes >= Math.min(needed, freedBy(given, all)));
      for (const one of going) {
        const without = freedBy(
          given,
          going.filter((other) => other !== one),
        );
        assert.ok(without < Math.min(needed, freedBytes), "each of them is needed");
      }
    }),
    { numRuns: 2000 },
  );
});

function freedBy({ candidates, heldPieces, pieces }: Picture, going: readonly Candidate[]): number {
  const stays = new Set([
    ...heldPieces,
    ...candidates.filter((one) => !going.includes(one)).flatMap((one) => one.pieces),
  ]);
  const gone = new Set(going.flatMap((one) => one.pieces).filter((piece) => !stays.has(piece)));
  return [...gone].reduce((sum, piece) => sum + (pieces.get(piece) ?? 0), 0);
}
