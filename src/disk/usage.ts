import { statfs } from "node:fs/promises";
import type { Holdings } from "#images";
import type { BudgetState, DiskOptions } from "./disk.ts";

/** A file system fuller than that is about to refuse writes. */
const fullShare = 0.95;

/** What the file system of the data root says; used and free as df(1) has them: what is reserved for root counts as neither. */
export async function fileSystemUse(path: string): Promise<{ usedBytes: number; sizeBytes: number; isFull: boolean }> {
  const { bsize, blocks, bfree, bavail } = await statfs(path);
  const usedBytes = (blocks - bfree) * bsize;
  const sizeBytes = usedBytes + bavail * bsize;
  return { usedBytes, sizeBytes, isFull: usedBytes > sizeBytes * fullShare };
}

/** What is used beside the budget. `holdings`: those that the caller has already. */
export async function budgetState(
  options: Pick<DiskOptions, "budget" | "host" | "images" | "containers" | "volumes" | "builder">,
  holdings?: Holdings,
): Promise<BudgetState> {
  const { budget, host } = options;
  if (budget.kind === "size") return { budget, usedBytes: await ownBytes(options, holdings), limitBytes: budget.bytes };
  const { usedBytes, sizeBytes } = await fileSystemUse(host.paths.dataRoot);
  const limitBytes = budget.kind === "off" ? Infinity : Math.floor((sizeBytes * budget.percent) / 100);
  return { budget, usedBytes, limitBytes };
}

/** What Slipway itself has: layers, blobs, writable layers, logs, volumes, and what the build cache has beside layers. */
async function ownBytes(
  { images, containers, volumes, builder }: Pick<DiskOptions, "images" | "containers" | "volumes" | "builder">,
  holdings?: Holdings,
): Promise<number> {
  const { pieces } = holdings ?? (await images.holdings());
  const ids = containers.list({ all: true, filters: {} }).map(({ id }) => id);
  const [sizes, logs, kept] = await Promise.all([containers.sizes(ids), containers.logUsage(), volumes.usage()]);
  // Layers of steps are layers of the store, and counted there.
  const cache = ((await builder?.usage()) ?? []).filter(({ type }) => type !== "regular");
  const cacheBytes = cache.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const imageBytes = [...pieces.values()].reduce((sum, bytes) => sum + bytes, 0);
  const writableBytes = [...sizes.values()].reduce((sum, size) => sum + size.writableBytes, 0);
  const volumeBytes = kept.reduce((sum, { sizeBytes }) => sum + Math.max(0, sizeBytes), 0);
  return imageBytes + writableBytes + logs.totalBytes + volumeBytes + cacheBytes;
}
