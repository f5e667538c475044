import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { attach, resize } from "./streams/attach.ts";
import { Background } from "./background.ts";
import { Forwarders } from "./logs/forward/forwarders.ts";
import type { Container, Containers, ContainersOptions } from "./containers.ts";
import { create } from "./life/create.ts";
import { createExec, inspectExec, resizeExec, startExec } from "./streams/exec.ts";
import { Execs } from "./streams/exec-records.ts";
import { checkFolders } from "./files/check-folders.ts";
import { commit } from "./files/commit.ts";
import { exportRoot, readArchive, statPath } from "./files/read.ts";
import { scratchFolder, viewFolder } from "./files/view-folder.ts";
import { OpenViews } from "./files/views.ts";
import { writeArchive } from "./files/write.ts";
import { selectContainers } from "./filters.ts";
import { kill } from "./life/kill.ts";
import { Locks } from "#core/locks";
import { logs } from "./logs/logs.ts";
import { dropOldLog, logUsage } from "./logs/old-logs.ts";
import { followHostResolver } from "./life/follow-host-resolver.ts";
import { connectNetwork, disconnectNetwork } from "./life/networks.ts";
import { imageRoots } from "./mounts/settle.ts";
import { pause, unpause } from "./life/pause.ts";
import { autoPool, remapMapping } from "./life/remap.ts";
import { reconcile } from "./life/reconcile.ts";
import { prune, remove } from "./life/remove.ts";
import { rename } from "./life/rename.ts";
import type { Room } from "./room.ts";
import { SeccompPrograms } from "./config/seccomp-programs.ts";
import { runStep } from "./steps/run-step.ts";
import { start } from "./life/start.ts";
import { startAgain } from "./life/start-again.ts";
import { Restarts } from "./life/restarts.ts";
import { isRunning } from "./state.ts";
import { endHealth, shownHealth } from "./life/health.ts";
import { Turnstile } from "./turnstile.ts";
import { ignoresStopSignal, restart, stop } from "./life/stop.ts";
import { type ContainerRecord, Store } from "./store.ts";
import { update } from "./life/update.ts";
import { UsageReader } from "./usage/read-usage.ts";
import { Sampler } from "./usage/sampler.ts";
import { sizes } from "./usage/sizes.ts";
import { stats } from "./usage/stats.ts";
import { top } from "./usage/top.ts";
import { Waiters } from "./life/waiters.ts";
import { wait } from "./life/wait.ts";
import { within } from "./life/within.ts";

/** Opens the room and reconciles: takes up the containers that run, records the ends of those that do not, cleans up after a crash. */
export async function openContainers(options: ContainersOptions): Promise<Containers> {
  const room = openRoom(options, {
    remapped: options.usernsRemap === undefined ? undefined : await remapMapping(options.usernsRemap),
    idPool: await autoPool(),
  });
  await reconcile(room);
  room.restarts.begin();
  return containersOf(room);
}

function openRoom(options: ContainersOptions, ids: Pick<Room, "remapped" | "idPool">): Room {
  const { database, paths } = options.host;
  mkdirSync(join(paths.execRoot, "containers"), { recursive: true, mode: 0o711 });
  for (const folder of [viewFolder(paths), scratchFolder(paths)]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  mkdirSync(join(paths.dataRoot, "containers"), { recursive: true, mode: 0o700 });
  const onUnexpected = options.onUnexpected ?? ((error: unknown) => void error);
  const store = new Store(database);
  const room: Room = {
    ...options,
    ...ids,
    onUnexpected,
    closing: false,
    healthWatches: new Map(),
    probeStarts: new Turnstile(4),
    stopping: false,
    restarts: new Restarts(async (id) => await startAgain(room, id), onUnexpected),
    store,
    forwarders: new Forwarders({ ...options, onNotice: (text) => options.log?.warn(text) }),
    locks: new Locks(),
    waiters: new Waiters(),
    execs: new Execs(),
    views: new OpenViews(),
    seccompPrograms: new SeccompPrograms(),
    sampler: new Sampler(new UsageReader({ ...options, store, onUnexpected })),
    background: new Background(16, onUnexpected),
    steps: new Map(),
    live: new Map(),
    departing: new Map(),
    restarting: new Set(),
    hostResolver: new DisposableStack(),
    waitingSessions: new Map(),
  };
  room.hostResolver.use(followHostResolver(room));
  return room;
}

function containersOf(room: Room): Containers {
  const find = (nameOrId: string): ContainerRecord => room.store.find(nameOrId);
  return {
    create: async (spec, signal) => await create(room, spec, signal),
    find: (nameOrId) => {
      const record = find(nameOrId);
      return { ...present(room, record), ...(ignoresStopSignal(room, record) && { ignoresStopSignal: true as const }) };
    },
    list: (options) =>
      selectContainers(room.store.all(), options, filterFacts(room)).map((record) => present(room, record)),
    start: async (nameOrId) => await start(room, find(nameOrId).id),
    stop: async (nameOrId, options) => await stop(room, nameOrId, options),
    kill: async (nameOrId, signal) => await kill(room, nameOrId, signal),
    restart: async (nameOrId, options) => await restart(room, nameOrId, options),
    pause: async (nameOrId) => await pause(room, nameOrId),
    unpause: async (nameOrId) => await unpause(room, nameOrId),
    rename: (nameOrId, name) => rename(room, nameOrId, name),
    remove: async (nameOrId, options) => await remove(room, nameOrId, options),
    prune: async (filters) => await prune(room, filters),
    wait: async (nameOrId, condition, signal) => wait(room, nameOrId, condition, signal),
    top: async (nameOrId, psArgs) => await top(room, nameOrId, psArgs),
    connectNetwork: async (nameOrId, endpoint) => await connectNetwork(room, nameOrId, endpoint),
    disconnectNetwork: async (nameOrId, network) => await disconnectNetwork(room, nameOrId, network),
    resize: async (nameOrId, size) => await resize(room, nameOrId, size),
    attach: async (nameOrId, options) => await attach(room, nameOrId, options),
    logs: (nameOrId, options, signal) => logs(room, nameOrId, options, signal),
    createExec: async (nameOrId, spec) => createExec(room, nameOrId, spec),
    startExec: async (execId, options) => await startExec(room, execId, options),
    inspectExec: (execId) => inspectExec(room, execId),
    resizeExec: async (execId, size) => await resizeExec(room, execId, size),
    update: async (nameOrId, changes) => await update(room, nameOrId, changes),
    stats: (nameOrId, options, signal) => stats(room, nameOrId, options, signal),
    changes: async (nameOrId) => await room.images.rootChanges(find(nameOrId).id),
    statPath: async (nameOrId, path) => await statPath(room, nameOrId, path),
    readArchive: async (nameOrId, path, signal) => await readArchive(room, nameOrId, path, signal),
    writeArchive: async (nameOrId, path, archive, options, signal) =>
      await writeArchive(room, nameOrId, path, archive, options, signal),
    exportRoot: async (nameOrId, signal) => await exportRoot(room, nameOrId, signal),
    commit: async (nameOrId, request, signal) => await commit(room, nameOrId, request, signal),
    sizes: async (ids) => await sizes(room, ids),
    logUsage: async () => await logUsage(room),
    dropOldLog: async (log) => await dropOldLog(room, log),
    ownsRoot: (name) => ownsRoot(room, name),
    runStep: async (request, lease, signal) => await runStep(room, request, lease, signal),
    checkFolders: async (options) => await checkFolders(room, options),
    close: async (options) => await close(room, options),
  };
}

/** The record with what other rooms know of it. */
function present(room: Room, record: ContainerRecord): Container {
  const attached = isRunning(record.state) ? room.networks.attachedOf(record.id) : undefined;
  const health = shownHealth(room, record);
  return {
    ...record,
    execIds: room.execs.idsOf(record.id),
    ...(health !== undefined && { health }),
    ...(attached !== undefined && { attached }),
  };
}

function filterFacts(room: Room): Parameters<typeof selectContainers>[2] {
  return {
    imageIds: (name) => {
      try {
        return [room.images.find(name).id];
      } catch {
        return [];
      }
    },
    find: (nameOrId) => room.store.find(nameOrId),
    healthOf: (record) => shownHealth(room, record)?.status ?? "none",
    networksOf: (id) => {
      const endpoints = room.networks.attachedOf(id)?.endpoints ?? [];
      return endpoints.flatMap(({ networkName, networkId }) => [networkName, networkId]);
    },
  };
}

async function close(room: Room, { stopContainers }: { readonly stopContainers: boolean }): Promise<void> {
  room.stopping = stopContainers;
  await room.restarts.close();
  if (stopContainers) {
    const running = [...room.live.keys()];
    const stops = await Promise.allSettled(running.map(async (id) => await stop(room, id, {})));
    for (const end of stops) if (end.status === "rejected") room.onUnexpected(end.reason);
  }
  for (const { abort } of room.steps.values()) abort();
  for (const { gone } of room.steps.values()) await within(gone, closeTimeMs);
  room.closing = true;
  room.hostResolver.dispose();
  await Promise.all([...room.healthWatches.keys()].map(async (id) => await endHealth(room, id)));
  await Promise.allSettled([...room.live.values()].map(async ({ monitor }) => await monitor[Symbol.asyncDispose]()));
  await room.forwarders.close();
  await within(room.background.idle(), closeTimeMs);
}

/** What is not clean by then is cleaned at the next start. */
const closeTimeMs = 10_000;

/** Image mounts have roots of their own, named after their container. */
function ownsRoot({ steps, store }: Room, name: string): boolean {
  const [id = ""] = name.split(".");
  if (steps.has(id)) return true;
  const record = store.get(id);
  return record !== undefined && (name === id || imageRoots(record).includes(name));
}
