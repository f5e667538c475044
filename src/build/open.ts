import { mkdir, statfs } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Digest } from "#core/digest";
import { hexOf } from "#core/digest";
import { Fault, isFault } from "#core/fault";
import { newId } from "#core/ids";
import { linkedAbort } from "#core/linked-abort";
import { familiar, withDefaultTag } from "#core/reference";
import { Places } from "#core/places";
import { chainIdsOf } from "#images";
import type { Builder, BuilderOptions, BuildEvent, BuildRequest, CachePrune, CacheRecord } from "./build.ts";
import { CacheMounts } from "./cache/cache-mounts.ts";
import { tarOf, unpackInto } from "./cache/folder-tar.ts";
import { migrations } from "./cache/migrations.ts";
import { planPrune } from "./cache/prune-plan.ts";
import { StepResults } from "./cache/results.ts";
import { Selections } from "./cache/selections.ts";
import { Slots } from "./cache/slots.ts";
import { cacheUsage } from "./cache/usage.ts";
import { withoutCredentials } from "./files/git-url.ts";
import { openBuildFiles } from "./files/open.ts";
import { EventQueue } from "./events.ts";
import { BuildRecords } from "./history/build-records.ts";
import { BuildTally } from "./history/build-tally.ts";
import type { Room } from "./room.ts";
import { runBuild } from "./run-build.ts";
import { SharedSteps } from "./solve/shared-steps.ts";

/** Opens the room: brings its tables up to date, and cleans up what a killed daemon left. */
export async function openBuilder(options: BuilderOptions): Promise<Builder> {
  const { host, images, clock } = options;
  host.database.migrate("build", migrations);
  const room: Room = {
    ...options,
    results: new StepResults(host.database, images.layers, clock),
    slots: new Slots(host.database, clock),
    selections: new Selections(host.database, clock),
    cacheMounts: new CacheMounts(host.database, clock, join(host.paths.dataRoot, "build", "mounts")),
    records: new BuildRecords(host.database, clock),
    shared: new SharedSteps(),
    places: new Places(Math.max(fewestAtOnce, 2 * availableParallelism())),
    running: new Map(),
    files: await openBuildFiles(host, clock),
    folder: join(host.paths.dataRoot, "build"),
    mountPoint: join(host.paths.dataRoot, "build", "shown"),
  };
  await mkdir(room.mountPoint, { recursive: true, mode: 0o700 });
  room.records.markLost();
  room.slots.trim();
  room.selections.trim();
  await room.cacheMounts.collect();
  return builderOf(room);
}

/** Many steps only wait: for a registry, for a sleep. */
const fewestAtOnce = 16;

function builderOf(room: Room): Builder {
  return {
    build: (request, signal) => build(room, request, signal),
    cancel: (id) => {
      const running = room.running.get(id);
      running?.controller.abort(new Fault("cancelled", "context canceled"));
      return running !== undefined;
    },
    history: () => room.records.all(),
    forgetHistory: (ids) => room.records.forget(ids),
    usage: async () => await usage(room),
    prune: async (request) => await prune(room, request),
    exportCacheMount: (id, signal) => tarOf(room.host.shim, { tree: mountOf(room, id) }, signal),
    importCacheMount: async (id, archive, signal) => await importCacheMount(room, id, archive, signal),
    close: async () => {
      for (const { controller } of room.running.values()) controller.abort(new Fault("cancelled", "the daemon stops"));
      await Promise.allSettled([...room.running.values()].map(async ({ ended }) => await ended));
    },
  };
}

/** Runs a build and tells what happens in it. Who leaves the iteration ends the build, and waits until nothing of it runs. */
async function* build(room: Room, asked: BuildRequest, signal: AbortSignal): AsyncGenerator<BuildEvent, void, void> {
  const request = { ...asked, tags: asked.tags.map((tag) => withDefaultTag(tag)) };
  const id = request.id ?? newId();
  if (room.running.has(id)) throw new Fault("conflict", `a build with the id ${id} is running`);
  using controller = linkedAbort(signal);
  const events = new EventQueue();
  const tally = new BuildTally();
  const startedNs = room.clock.now();
  room.records.begin(id, nameOf(request));
  const ended = runBuild(room, id, request, events, controller.signal).then(
    (result) => {
      room.records.end(id, { status: "done", ...tally.counts, ...result });
      events.tell({ kind: "result", result });
      events.end();
    },
    (error: unknown) => {
      const isCancelled = controller.signal.aborted || isFault(error, "cancelled");
      const message = error instanceof Error ? error.message : String(error);
      room.records.end(id, {
        status: isCancelled ? "cancelled" : "failed",
        ...(!isCancelled && { error: message }),
        ...tally.counts,
        tags: [],
      });
      events.end(
        isCancelled || !(error instanceof Error) ? new Fault("cancelled", "context canceled", { cause: error }) : error,
      );
    },
  );
  room.running.set(id, { controller, ended, startedNs });
  try {
    for await (const event of events.read()) {
      tally.see(event);
      yield event;
    }
  } finally {
    controller.abort();
    events.abandon();
    await ended;
    room.running.delete(id);
  }
}

/** What a person knows it by. */
function nameOf({ tags, context, target }: BuildRequest): string {
  const [tag] = tags;
  const name = tag === undefined ? placeOf(context) : familiar(tag);
  return target === undefined ? name : `${name} (${target})`;
}

function placeOf(context: BuildRequest["context"]): string {
  if (context.kind === "folder") return context.path;
  return context.kind === "remote" ? withoutCredentials(context.url) : context.kind;
}

async function usage(room: Room): Promise<CacheRecord[]> {
  const { images, results, cacheMounts, host } = room;
  const measure = async (folder: string): Promise<number> => {
    const end = await host.shim.runToEnd({ argv: ["du", "-s", "-b", "-x", folder] });
    return Number.parseInt(Buffer.from(end.stdout).toString("latin1"), 10) || 0;
  };
  const chains = images
    .list({ all: true, filters: {} })
    .flatMap(({ config }): Digest[] => chainIdsOf(config.rootfs.diff_ids));
  return await cacheUsage({
    results,
    cacheMounts,
    imageStacks: new Set(chains),
    isInUse: ({ usedNs }) => isInUse(room, usedNs),
    mountBytes: async (mount) => await cacheMounts.bytesOf(mount, measure),
  });
}

async function prune(room: Room, request: CachePrune): ReturnType<Builder["prune"]> {
  const { host, clock, results, cacheMounts } = room;
  const { bavail, bsize } = await statfs(host.paths.dataRoot);
  const records = await usage(room);
  const chosen = planPrune(records, request, { nowNs: clock.now(), freeBytes: bavail * bsize });
  const ids = new Set(chosen.map(({ id }) => id));
  const removed: string[] = [];
  let reclaimedBytes = 0;
  for (const { id, type, sizeBytes } of chosen) {
    if (type !== "exec.cachemount" || !(await cacheMounts.remove(id))) continue;
    removed.push(id);
    reclaimedBytes += sizeBytes;
  }
  const keys = results.all().flatMap(({ key, usedNs }) => (ids.has(hexOf(key)) && !isInUse(room, usedNs) ? [key] : []));
  reclaimedBytes += await results.remove(keys);
  room.events.emit({
    type: "builder",
    action: "prune",
    actorId: "",
    attributes: { reclaimed: String(reclaimedBytes) },
  });
  return { removed: [...keys.map((key) => hexOf(key)), ...removed], reclaimedBytes };
}

/** A build that runs has used it, and may name it again. */
function isInUse({ running }: Room, usedNs: bigint): boolean {
  return [...running.values()].some(({ startedNs }) => usedNs >= startedNs);
}

function mountOf({ cacheMounts }: Room, id: string): string {
  const folder = cacheMounts.folderOf(id);
  if (folder === undefined) throw new Fault("notFound", `No such cache mount: ${id}`);
  return folder;
}

/** What the cache mount had before goes. */
async function importCacheMount(
  { cacheMounts, host }: Room,
  id: string,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await cacheMounts.replace(
    { id, sharing: "locked", mode: 0o755, uid: 0, gid: 0 },
    async (folder) => await unpackInto(host.shim, { tree: folder }, archive, signal),
    signal,
  );
}
