import { type Holdings, type ImageHolding, matchesReference } from "#images";
import type { OldLog } from "#containers";
import type { Collected, Collection, DiskOptions } from "./disk.ts";
import { type Candidate, planCollection, type Plan } from "./plan.ts";
import { budgetState, fileSystemUse } from "./usage.ts";

type CollectOptions = Pick<
  DiskOptions,
  "budget" | "host" | "images" | "containers" | "volumes" | "events" | "log" | "keep"
>;

const reason = "disk budget";

/** Looks whether more is used than the budget allows, and collects what nobody needs; with `dryRun` only says what would go. */
export async function collectToBudget(options: CollectOptions, dryRun: boolean): Promise<Collection> {
  const before = await budgetState(options);
  if (before.usedBytes <= before.limitBytes)
    return { ...before, targetBytes: before.limitBytes, collected: [], reclaimedBytes: 0 };
  const holdings = await options.images.holdings();
  const { old: logs } = await options.containers.logUsage();
  const { isFull } = await fileSystemUse(options.host.paths.dataRoot);
  const plan = planCollection({
    ...(await budgetState(options, holdings)),
    nowNs: options.host.clock.now(),
    isFull,
    candidates: [...imageCandidates(holdings, options.keep), ...logCandidates(logs)],
    pieces: new Map([...holdings.pieces, ...logs.map((log) => [logPiece(log), log.sizeBytes] as const)]),
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
async function carryOut({ images, containers }: CollectOptions, plan: Plan, logs: readonly OldLog[]): Promise<number> {
  const going = plan.steps.map(({ candidate }) => candidate);
  const chosen = going.flatMap(({ kind, id, usedNs }) =>
    kind === "old log" ? [] : [{ id: id as ImageHolding["id"], usedNs }],
  );
  let { reclaimedBytes } = await images.collectImages(chosen, reason);
  const goingLogs = new Set(going.filter(({ kind }) => kind === "old log").map(({ id }) => id));
  for (const log of logs) if (goingLogs.has(log.containerId)) reclaimedBytes += await containers.dropOldLog(log);
  return reclaimedBytes;
}

function tell({ events, log }: CollectOptions, collected: readonly Collected[], reclaimedBytes: number): void {
  const count = (isCounted: (one: Collected) => boolean): string => String(collected.filter(isCounted).length);
  const images = count(({ kind }) => kind !== "old log");
  const logs = count(({ kind }) => kind === "old log");
  const attributes = { reason, reclaimed: String(reclaimedBytes), images, logs };
  events.emit({ type: "daemon", action: "gc", actorId: "", attributes });
  log.info("the disk budget was passed: unused images and old logs were removed", attributes);
}
