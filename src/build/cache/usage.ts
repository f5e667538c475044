import type { Digest } from "#core/digest";
import { hexOf } from "#core/digest";
import type { CacheRecord } from "../build.ts";
import type { CacheMountRecord, CacheMounts } from "./cache-mounts.ts";
import type { StepResult } from "./results.ts";

/** What the cache is looked at with. */
export interface UsageParts {
  readonly results: { all(): readonly StepResult[] };
  readonly cacheMounts: Pick<CacheMounts, "all">;
  /** Bytes of a cache mount's folder. */
  readonly mountBytes: (mount: CacheMountRecord) => Promise<number>;
  /** Stacks that images have. */
  readonly imageStacks: ReadonlySet<Digest>;
  readonly isInUse: (result: StepResult) => boolean;
}

/** The records of the cache, oldest first. A layer that two results have is counted with the older one. */
export async function cacheUsage(parts: UsageParts): Promise<CacheRecord[]> {
  const results = parts.results.all();
  const byStack = new Map(results.map((result) => [result.stack, result]));
  const counted = new Set<Digest>();
  const steps = results.map((result): CacheRecord => {
    const { key, below, stack, layer, description } = result;
    const parent = below === undefined ? undefined : byStack.get(below);
    const isFirst = layer !== undefined && stack !== undefined && !counted.has(stack);
    if (stack !== undefined) counted.add(stack);
    return {
      id: hexOf(key),
      parents: parent === undefined || parent.key === key ? [] : [hexOf(parent.key)],
      type: "regular",
      description,
      inUse: parts.isInUse(result),
      shared: stack !== undefined && parts.imageStacks.has(stack),
      sizeBytes: isFirst ? result.sizeBytes : 0,
      createdNs: result.createdNs,
      lastUsedNs: result.usedNs,
      usageCount: result.uses,
    };
  });
  const mounts = await Promise.all(
    parts.cacheMounts.all().map(async (mount): Promise<CacheRecord> => ({
      id: mount.name,
      parents: [],
      type: "exec.cachemount",
      description: `cache mount ${mount.id}`,
      inUse: mount.inUse,
      shared: false,
      sizeBytes: await parts.mountBytes(mount),
      createdNs: mount.createdNs,
      lastUsedNs: mount.usedNs,
      usageCount: mount.uses,
    })),
  );
  return [...steps, ...mounts];
}
