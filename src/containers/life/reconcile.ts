import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Monitor, MonitorStatus } from "#host";
import { isFault } from "#core/fault";
import { erase } from "./erase.ts";
import { tellHostResolver } from "./follow-host-resolver.ts";
import { foldersOf } from "./folders.ts";
import { resumeHealth } from "./health.ts";
import { imageRoots } from "../mounts/settle.ts";
import { attempt, type Room } from "../room.ts";
import { noteOutOfMemory, watchMemory } from "./memory.ts";
import { leadPorts } from "./ports.ts";
import { cgroupOf } from "./runtime.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";
import { recordEnd, supervise } from "./supervise.ts";
import { startWithDaemon } from "./policy-end.ts";
import { tearDown } from "./teardown.ts";

/**
 * Brings records and machine together after the daemon was away, however it went: takes up what runs, records what has
 * ended, finishes removals, cleans what belongs to nobody, and orders the starts that policies want.
 */
export async function reconcile(room: Room): Promise<void> {
  const records = [...room.store.all()];
  await inParallel(records, async (record) => await reconcileOne(room, record));
  await inParallel(await strangers(room), async (id) => {
    await tearDown(room, id);
    await rm(foldersOf(room.host.paths, id).data, { recursive: true, force: true });
  });
  for (const record of [...room.store.all()]) startWithDaemon(room, record);
  const left = [...room.store.all()];
  const running = new Map(left.flatMap(({ id, state }) => (isRunning(state) ? [[id, state.pid] as const] : [])));
  await room.networks.reconcile(running);
  // The last daemon may have died between a change of a container's networks and its monitor's hearing of it.
  await inParallel([...room.live], async ([id, { monitor }]) => {
    await leadPorts(room, id, monitor).catch(room.onUnexpected);
  });
  await tellHostResolver(room); // it may have changed while there was no daemon
  const ids = new Set(left.map((record) => record.id));
  await room.volumes.reconcile(ids, new Set(running.keys()));
  await room.images.collect(new Set([...ids, ...left.flatMap(imageRoots)]));
}

async function reconcileOne(room: Room, record: ContainerRecord): Promise<void> {
  const { id } = record;
  const { bundle } = foldersOf(room.host.paths, id);
  const monitor = await room.host.shim.openMonitor(bundle);
  const status = monitor === undefined ? undefined : await settledStatus(monitor);
  if (monitor !== undefined && status?.state === "running" && record.state.status !== "dead") {
    await takeUp(room, record, monitor, status);
    return;
  }
  if (monitor !== undefined && status?.state === "exited") {
    // Its monitor is about to go; what it has to say is said.
    await monitor.gone;
    await monitor[Symbol.asyncDispose]();
    if (wasUp(record)) return await endUnseen(room, record, status);
  }
  if (wasUp(record)) return await endUnseen(room, record, undefined);
  await tearDownIfThere(room, id);
  if (record.state.status === "dead" || (record.spec.autoRemove && record.state.status === "exited")) {
    using _lock = await room.locks.take(id);
    await erase(room, id, { volumes: record.spec.autoRemove });
  } else attempt(room, () => room.forwarders.ended(record)); // the last daemon may not have brought all to its target
}

/** A container that runs: also one whose start the daemon did not live to note, or that a commit held still when it died. */
async function takeUp(
  room: Room,
  record: ContainerRecord,
  monitor: Monitor,
  { pid, startedNs, oomKilled }: Extract<MonitorStatus, { state: "running" }>,
): Promise<void> {
  const { id, state } = record;
  const paused = state.status === "paused";
  const known = isRunning(state) && state.oomKilled === true;
  if (!paused) await room.host.cgroups.thaw(cgroupOf(room, id)).catch(() => undefined);
  const status = paused ? "paused" : "running";
  room.store.transition(id, { status, pid, startedNs, ...(known && { oomKilled: true }) });
  if (oomKilled && !known) noteOutOfMemory(room, id, true, room.clock.now());
  supervise(room, id, monitor, pid);
  watchMemory(room, id, monitor);
  if (!paused) resumeHealth(room, id, { takenUp: true });
}

/** It ended while nobody looked: by the monitor's word, its exit record, or (after a reboot) unknown. */
async function endUnseen(
  room: Room,
  record: ContainerRecord,
  status: Extract<MonitorStatus, { state: "exited" }> | undefined,
): Promise<void> {
  const { id } = record;
  const facts = status?.exit ?? (await room.host.shim.readExitRecord(foldersOf(room.host.paths, id).bundle));
  await tearDown(room, id);
  await recordEnd(room, id, facts);
}

function wasUp({ state }: ContainerRecord): boolean {
  return isRunning(state);
}

/** A monitor that is just starting its container is given the time to say how it went. */
async function settledStatus(monitor: Monitor): Promise<MonitorStatus | undefined> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      const status = await monitor.status();
      if (status.state !== "starting") return status;
    } catch (error) {
      if (isFault(error, "unavailable")) return undefined;
      throw error;
    }
    await sleep(50);
  }
  return undefined;
}

async function tearDownIfThere(room: Room, id: string): Promise<void> {
  const bundles = await listFolder(join(room.host.paths.execRoot, "containers"));
  if (bundles.includes(id)) await tearDown(room, id);
}

/** Containers that have folders, runtime state or cgroups but no record: creations and removals that were cut off. */
async function strangers(room: Room): Promise<string[]> {
  const { paths, cgroups } = room.host;
  const [bundles, folders, states, groups] = await Promise.all([
    listFolder(join(paths.execRoot, "containers")),
    listFolder(join(paths.dataRoot, "containers")),
    listFolder(join(paths.execRoot, "runtime")),
    cgroups.list(),
  ]);
  const parent = cgroupOf(room, "");
  const grouped = groups
    .filter((path) => path.startsWith(parent))
    .map((path) => path.slice(parent.length).replace(/^\//, "").split("/")[0] ?? "");
  const ids = new Set([...bundles, ...folders, ...states, ...grouped]);
  return [...ids].filter((id) => /^[0-9a-f]{64}$/.test(id) && room.store.get(id) === undefined);
}

async function listFolder(path: string): Promise<string[]> {
  return await readdir(path).catch(() => []);
}

/** A few at once: each may need a foreign program. */
async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}
