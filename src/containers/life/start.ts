import { dirname, join } from "node:path";
import type { MonitorStart, Monitor, MountOp } from "#host";
import { Fault } from "#core/fault";
import { announce } from "../announce.ts";
import { type Bundle, writeBundle } from "./bundle.ts";
import { blameUlimits, readRuntimeWords, type RunFailure, startFailure } from "./failure.ts";
import { foldersOf } from "./folders.ts";
import { beginHealth } from "./health.ts";
import { killSignal } from "../config/signals.ts";
import { logOptions } from "../logs/log-options.ts";
import { watchMemory } from "./memory.ts";
import { type Isolation, isolationOf, mappedMounts } from "./namespaces.ts";
import { takePlace } from "./place.ts";
import { erase } from "./erase.ts";
import { attempt, type Room } from "../room.ts";
import { cgroupOf, runtimeArgv, runtimePathOf } from "./runtime.ts";
import { mustBeStartable } from "../state.ts";
import type { ContainerRecord } from "../store.ts";
import { supervise } from "./supervise.ts";
import { tearDown } from "./teardown.ts";

/** Starts a container because a person asked: all of it, or (if any step fails) none of it, the reason kept in its state. */
export async function start(room: Room, id: string): Promise<void> {
  using _lock = await room.locks.take(id);
  const found = room.store.get(id);
  if (found === undefined) throw new Fault("notFound", `No such container: ${id}`);
  mustBeStartable(found);
  const record = startAnew(room, found);
  room.store.note(id, { status: "starting" });
  try {
    await launch(room, record);
  } catch (error) {
    throw await recordFailure(room, record, error);
  }
}

/** A person's start: what its policy has counted so far is forgotten. */
function startAnew(room: Room, record: ContainerRecord): ContainerRecord {
  room.restarts.forget(record.id);
  room.store.markStoppedByHand(record.id, false);
  if (record.restartCount > 0) room.store.transition(record.id, record.state, 0);
  return room.store.get(record.id) ?? record;
}

/** Brings the container up. Throws what `startFault` explains; nothing is left then. The caller holds its lock. */
export async function launch(room: Room, record: ContainerRecord): Promise<void> {
  const { id } = record;
  await room.departing.get(id);
  await room.views.end(id);
  await room.forwarders.check(record);
  await using undo = new AsyncDisposableStack();
  const isolation = isolationOf(room, record);
  const place = undo.use(await takePlace(room, record, isolation));
  undo.defer(async () => await room.volumes.unmount(id));
  using bundle = await writeBundle(room, record, place, isolation);
  // Kept before it runs: a crash in between leaves something that reconcile knows of.
  place.keep();
  undo.defer(async () => await room.networks.release(id));
  // Only clients that wait are worth a halt before the first byte.
  const started = await place.slot.start(
    monitorStart(room, record, isolation, bundle, place.resolver),
    room.waitingSessions.has(id) ? async (monitor) => await connectWaiting(room, id, monitor) : undefined,
  );
  undo.move(); // from here on its end undoes it
  supervise(room, id, started.monitor, started.pid);
  try {
    room.store.transition(id, { status: "running", pid: started.pid, startedNs: started.startedNs });
  } catch (error) {
    await started.monitor.signal(killSignal);
    throw error;
  }
  beginHealth(room, id);
  announce(room, record, "start");
  watchMemory(room, id, started.monitor);
  // Clients that came while the runtime worked.
  await connectWaiting(room, id, started.monitor);
  await room.seccompPrograms.learn(room, runtimePathOf(room, record), bundle.seccompProfile, id);
}

/** Connects the clients that attached before the start. One that cannot be connected ends; the container starts all the same. */
export async function connectWaiting(room: Room, id: string, monitor: Monitor): Promise<void> {
  const sessions = room.waitingSessions.get(id);
  if (sessions === undefined) return;
  room.waitingSessions.delete(id);
  const connecting = [...sessions].map(async (session) => {
    try {
      await session.connect(monitor);
    } catch {
      session.abandon();
    }
  });
  await Promise.all(connecting);
}

/** How the container is started in its slot; its root with `stubs` below all layers, where there are some. */
export function monitorStart(
  room: Room,
  record: ContainerRecord,
  isolation: Isolation,
  bundle: Bundle,
  resolver: string | undefined,
  stubs?: string,
): MonitorStart {
  const { id, spec } = record;
  const folders = foldersOf(room.host.paths, id);
  const oomFile = room.host.cgroups.oomFileOf(cgroupOf(room, id));
  return {
    id,
    dir: folders.bundle,
    log: { dir: folders.log, ...logOptions(spec.logging) },
    tty: spec.tty,
    stdinOpen: spec.stdinOpen,
    stdinOnce: spec.stdinOnce,
    mounts: monitorMounts(room, record, isolation, bundle, stubs),
    ...(isolation.userNamespace !== undefined && { userNamespace: isolation.userNamespace }),
    runtimeArgv: runtimeArgv(room, record, folders.runtimeLog, [
      "run",
      "--detach",
      "--bundle",
      folders.bundle,
      "--pid-file",
      folders.pidFile,
      id,
    ]),
    timeLimitMs: runtimeTimeMs,
    deleteArgv: runtimeArgv(room, record, folders.runtimeLog, ["delete", "--force", id]),
    pidFile: folders.pidFile,
    ...(resolver !== undefined && { names: resolver }),
    ...(oomFile !== undefined && { oomFile }),
  };
}

/** What a start failed of, in Docker's words; takes away what it left. */
export async function startFault(room: Room, record: ContainerRecord, error: unknown): Promise<RunFailure> {
  const folders = foldersOf(room.host.paths, record.id);
  const words = await readRuntimeWords(folders.runtimeLog);
  // A runtime that fails half-way does not always take its cgroup along.
  await tearDown(room, record.id).catch(room.onUnexpected);
  return blameUlimits(startFailure(error, words, record.process.args), record.spec.ulimits);
}

/** What the monitor mounts before the runtime comes. */
function monitorMounts(
  room: Room,
  { id }: ContainerRecord,
  { shmOwner, userNamespace }: Isolation,
  { files, mounts }: Pick<Bundle, "files" | "mounts">,
  stubs: string | undefined,
): MountOp[] {
  const { rootfs, views, joinedShm } = foldersOf(room.host.paths, id);
  const root = room.images
    .openRoot(id)
    .mountsAt(rootfs)
    .map((op) => (stubs === undefined ? op : withLowest(op, stubs)));
  return [
    ...(userNamespace === undefined ? root : mappedMounts(root, views, dirname(files.hosts))),
    // runc before 1.2 follows a symlink at /dev out of the root and writes there: it must be a folder.
    { op: "mkdir", path: join(rootfs, "dev"), mode: 0o755 },
    ...(shmOwner === undefined
      ? []
      : [{ op: "graft", pid: shmOwner, source: "/dev/shm", target: joinedShm, what: "one" } as const]),
    ...mounts,
  ];
}

function withLowest(op: MountOp, folder: string): MountOp {
  return op.op === "overlay" ? { ...op, lowers: [...op.lowers, folder] } : op;
}

/** Keeps why the start failed; an earlier end stays otherwise as it was. Answers the fault to throw. */
async function recordFailure(room: Room, record: ContainerRecord, error: unknown): Promise<Fault> {
  const { id, state } = record;
  const { fault, exitCode } = await startFault(room, record, error);
  const before = state.status === "exited" ? state : ({ status: "created" } as const);
  attempt(room, () => room.store.transition(id, { ...before, error: fault.message, exitCode }));
  for (const session of room.waitingSessions.get(id) ?? []) session.abandon();
  room.waitingSessions.delete(id);
  if (record.spec.autoRemove) await erase(room, id, { volumes: true });
  return fault;
}

/** Hooks of runtimes may take their time; one that hangs must not hold its container for ever. */
const runtimeTimeMs = 120_000;
