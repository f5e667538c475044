import { type Holdings, type ImageHolding, matchesReference } from "#images";
import type { CacheRecord } from "#build";
import type { OldLog } from "#containers";
import type { Collected, Collection, DiskOptions } from "./disk.ts";
import { type Candidate, planCollection, type Plan } from "./plan.ts";
import { budgetState, fileSystemUse } from "./usage.ts";

type CollectOptions = Pick<
  DiskOptions,
  "budget" | "host" | "images" | "containers" | "volumes" | "builder" | "events" | "log" | "keep"
>;

const reason = "disk budget";

/** Looks whether more is used than the budget allows, and collects what nobody needs; with `dryRun` only says what would go. */
export async function collectToBudget(options: CollectOptions, dryRun: boolean): Promise<Collection> {
  const before = await budgetState(options);
  if (before.usedBytes <= before.limitBytes)
    return { ...before, targetBytes: before.limitBytes, collected: [], reclaimedBytes: 0 };
  const holdings = await options.images.holdings();
  const { old: logs } = await options.containers.logUsage();
  const cache = ((await options.builder?.usage()) ?? []).filter(({ inUse, shared }) => !inUse && !shared);
  const { isFull } = await fileSystemUse(options.host.paths.dataRoot);
  const plan = planCollection({
    ...(await budgetState(options, holdings)),
    nowNs: options.host.clock.now(),
    isFull,
    candidates: [...imageCandidates(holdings, options.keep), ...cache.map(cacheCandidate), ...logCandidates(logs)],
    pieces: new Map([
      ...holdings.pieces,
      ...cache.map((record) => [cachePiece(record), record.sizeBytes] as const),
      ...logs.map((log) => [logPiece(log), log.sizeBytes] as const),
    ]),
    heldPieces: heldPieces(holdings, options.keep),
  });
  const reclaimedBytes = dryRun ? plan.freedBytes : await carryOut(options, plan, logs);
  const collected = plan.steps.map(({ candidate, freedBytes }): Collected => ({ ...candidate, freedBytes }));
  if (!dryRun && collected.length > 0) tell(options, collected, reclaimedBytes);
  return { ...before, targetBytes: plan.targetBytes, collected, reclaimedBytes };
}

function stays({ isHeld, repoTags, repoDigests }: ImageHolding, keep: readonly string[]): boolean {
  return (
    isHeld || keep.some((pattern) => [...repoTags, ...repoDigests].some((name) => matchesReference(pattern, name)))
  );
}

function imageCandidates({ images }: Holdings, keep: readonly string[]): Candidate[] {
  return images
    .filter((image) => !stays(image, keep))
    .map(({ id, repoTags, repoDigests, usedNs, pieces }) => ({
      kind: repoTags.length === 0 ? "untagged image" : "image",
      id,
      names: repoTags.length === 0 ? repoDigests : repoTags,
      usedNs,
      pieces,
    }));
}

function heldPieces({ heldPieces, images }: Holdings, keep: readonly string[]): Set<string> {
  return new Set([...heldPieces, ...images.filter((image) => stays(image, keep)).flatMap(({ pieces }) => pieces)]);
}

/** What images have too takes no room of its own, and is no candidate. */
function cacheCandidate(record: CacheRecord): Candidate {
  const { id, description, lastUsedNs, createdNs } = record;
  return {
    kind: "build cache",
    id,
    names: description === "" ? [] : [description],
    usedNs: lastUsedNs ?? createdNs,
    pieces: [cachePiece(record)],
  };
}

function cachePiece({ id }: CacheRecord): string {
  return `cache:${id}`;
}

/** All old segments of a container go together: a log has no holes. */
function logCandidates(logs: readonly OldLog[]): Candidate[] {
  const byContainer = Map.groupBy(logs, ({ containerId }) => containerId);
  return [...byContainer].map(([id, segments]) => ({
    kind: "old log",
    id,
    names: segments.slice(0, 1).map(({ name }) => name),
    usedNs: segments.reduce((latest, { writtenNs }) => (writtenNs > latest ? writtenNs : latest), 0n),
    pieces: segments.map(logPiece),
  }));
}

function logPiece({ containerId, segment }: OldLog): string {
  return `log:${containerId}:${segment}`;
}

/** The rooms look again whether each may still go. */
async function carryOut(options: CollectOptions, plan: Plan, logs: readonly OldLog[]): Promise<number> {
  const { images, containers, builder } = options;
  const going = plan.steps.map(({ candidate }) => candidate);
  const chosen = going.flatMap(({ kind, id, usedNs }) =>
    kind === "image" || kind === "untagged image" ? [{ id: id as ImageHolding["id"], usedNs }] : [],
  );
  let { reclaimedBytes } = await images.collectImages(chosen, reason);
  const cacheIds = going.filter(({ kind }) => kind === "build cache").map(({ id }) => id);
  if (builder !== undefined && cacheIds.length > 0) {
    const pruned = await builder.prune({ all: false, filters: { id: cacheIds } }, new AbortController().signal);
    reclaimedBytes += pruned.reclaimedBytes;
  }
  const goingLogs = new Set(going.filter(({ kind }) => kind === "old log").map(({ id }) => id));
  for (const log of logs) if (goingLogs.has(log.containerId)) reclaimedBytes += await containers.dropOldLog(log);
  return reclaimedBytes;
}

function tell({ events, log }: CollectOptions, collected: readonly Collected[], reclaimedBytes: number): void {
  const count = (isCounted: (one: Collected) => boolean): string => String(collected.filter(isCounted).length);
  const images = count(({ kind }) => kind === "image" || kind === "untagged image");
  const logs = count(({ kind }) => kind === "old log");
  const cache = count(({ kind }) => kind === "build cache");
  const attributes = {
    reason,
    reclaimed: String(reclaimedBytes),
    images,
    logs,
    ...(cache !== "0" && { "build-cache": cache }),
  };
  events.emit({ type: "daemon", action: "gc", actorId: "", attributes });
  log.info("the disk budget was passed: unused images, build cache and old logs were removed", attributes);
}
