import assert from "node:assert/strict";
import { test } from "node:test";
import type { CachePrune, CacheRecord } from "#build";
import type { Digest } from "#core/digest";
import { collectToBudget } from "./collect.ts";
import type { DiskOptions } from "./disk.ts";

const dayNs = 86_400n * 1_000_000_000n;
const nowNs = 100n * dayNs;
const mebibyte = 1 << 20;

function cacheRecord(id: string, daysAgo: bigint, fields: Partial<CacheRecord> = {}): CacheRecord {
  return {
    id,
    parents: [],
    type: "exec.cachemount",
    description: `cache mount ${id}`,
    inUse: false,
    shared: false,
    sizeBytes: 100 * mebibyte,
    createdNs: nowNs - daysAgo * dayNs,
    usageCount: 1,
    ...fields,
  };
}

/** A disk with that build cache, 100 MiB of an old image, and a budget. */
function disk(cache: readonly CacheRecord[], budgetBytes: number) {
  const prunes: CachePrune[] = [];
  const collected: string[] = [];
  const image = `sha256:${"a".repeat(64)}` as Digest;
  const told: Record<string, string>[] = [];
  const options = {
    budget: { kind: "size", bytes: budgetBytes },
    keep: [],
    host: { clock: { now: () => nowNs }, paths: { dataRoot: "/" } },
    images: {
      holdings: async () => ({
        pieces: new Map([["layer", 100 * mebibyte]]),
        heldPieces: new Set<string>(),
        images: [
          {
            id: image,
            repoTags: ["old:1"],
            repoDigests: [],
            usedNs: nowNs - 50n * dayNs,
            isHeld: false,
            pieces: ["layer"],
          },
        ],
      }),
      collectImages: async (chosen: readonly { readonly id: string }[]) => {
        collected.push(...chosen.map(({ id }) => id));
        return { removed: [], reclaimedBytes: chosen.length * 100 * mebibyte };
      },
    },
    containers: {
      list: () => [],
      sizes: async () => new Map(),
      logUsage: async () => ({ totalBytes: 0, old: [] }),
    },
    volumes: { usage: async () => [] },
    builder: {
      usage: async () => cache,
      prune: async (request: CachePrune) => {
        prunes.push(request);
        return { removed: [], reclaimedBytes: 7 };
      },
    },
    events: { emit: ({ attributes }: { readonly attributes: Record<string, string> }) => void told.push(attributes) },
    log: { info: () => undefined },
  } as unknown as DiskOptions;
  return { options, prunes, collected, told };
}

test("collectToBudget: build cache goes by least recent use, before images that have names", async () => {
  const cache = [cacheRecord("young", 2n), cacheRecord("oldest", 9n), cacheRecord("older", 5n)];
  const { options, prunes, collected, told } = disk(cache, 250 * mebibyte);
  const found = await collectToBudget(options, false);
  assert.equal(found.usedBytes, 400 * mebibyte);
  assert.deepEqual(
    found.collected.map(({ kind, id }) => [kind, id]),
    [
      ["build cache", "oldest"],
      ["build cache", "older"],
    ],
  );
  assert.deepEqual(prunes, [{ all: false, filters: { id: ["oldest", "older"] } }]);
  assert.deepEqual(collected, []);
  assert.equal(told[0]?.["build-cache"], "2");
});

test("collectToBudget: what is in use, or an image's, or was used within a day stays", async () => {
  const cache = [
    cacheRecord("busy", 9n, { inUse: true }),
    cacheRecord("shared", 9n, { shared: true }),
    cacheRecord("fresh", 0n),
  ];
  const { options, prunes, collected } = disk(cache, 100 * mebibyte);
  await collectToBudget(options, false);
  assert.deepEqual(prunes, []);
  assert.equal(collected.length, 1);
});
