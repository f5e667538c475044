import assert from "node:assert/strict";
import { test } from "node:test";
import type { Digest } from "#core/digest";
import type { HistoryStep, Image } from "#images";
import { sharedSizes } from "./image-counts.ts";

function image(id: string, layers: readonly string[], emptySteps: readonly boolean[]): Image {
  return {
    id: id as Digest,
    config: {
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: layers as readonly Digest[] },
      history: emptySteps.map((empty) => (empty ? { empty_layer: true } : {})),
    },
    repoTags: [],
    repoDigests: [],
    sizeBytes: 0,
    createdNs: 0n,
  };
}

function steps(...sizesNewestFirst: number[]): HistoryStep[] {
  return sizesNewestFirst.map((sizeBytes) => ({
    id: "<missing>",
    createdSeconds: 0,
    createdBy: "",
    tags: [],
    sizeBytes,
    comment: "",
  }));
}

test("sharedSizes: counts layers that stand on the same layers elsewhere, and no others", () => {
  const images = [
    image("a", ["base", "x"], [false, true, false]),
    image("b", ["base", "y"], [false, false]),
    image("c", ["x"], [false]),
  ];
  const histories: Record<string, HistoryStep[]> = { a: steps(5, 0, 100), b: steps(7, 100), c: steps(5) };
  const shared = sharedSizes(images, (id) => histories[id] ?? []);
  assert.deepEqual(Object.fromEntries(shared), { a: 100, b: 100, c: 0 });
});
