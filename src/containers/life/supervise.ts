import { rm } from "node:fs/promises";
import type { ExitFacts, Monitor } from "#host";
import { announce } from "../announce.ts";
import { erase } from "./erase.ts";
import { endHealth } from "./health.ts";
import { foldersOf } from "./folders.ts";
import { attempt, type Live, type Room } from "../room.ts";
import { watchMemory } from "./memory.ts";
import { settleEnd } from "./policy-end.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";
import { tearDown } from "./teardown.ts";
import { measureAtEnd } from "../usage/sizes.ts";

/** Watches a running container until its end is in the store, and then cleans up behind it. */
export function supervise(room: Room, id: string, monitor: Monitor, pid: number): void {
  const departed = Promise.withResolvers<void>();
  const record = room.store.get(id);
  if (record !== undefined) attempt(room, () => room.forwarders.begin(record, true));
  const live: Live = { monitor, pid, ended: watch(room, id, monitor, departed) };
  room.live.set(id, live);
  monitor.onWarning((text) => room.log?.warn(text, { container: id }));
}

/** Exit code of an end that nobody saw, as Docker gives it. */
export const unseenExitCode = 255;

/** Puts an end into the store (its policy may start it again), tells those who wait, and removes the container when it was asked for with `--rm`. */
export async function recordEnd(room: Room, id: string, facts: ExitFacts | undefined): Promise<void> {
  using _lock = await room.locks.take(id);
  const record = room.store.get(id);
  if (record === undefined) return;
  await room.networks.release(id).catch(room.onUnexpected);
  await room.volumes.unmount(id).catch(room.onUnexpected);
  room.live.delete(id);
  const { exitCode, finishedNs, error } = endOf(room, facts);
  const startedNs = isRunning(record.state) ? record.state.startedNs : finishedNs;
  const oomKilled = facts?.oomKilled ?? false;
  const ranMs = Number(finishedNs - startedNs) / 1e6;
  settleEnd(room, record, { exitCode, oomKilled, startedNs, finishedNs, error }, ranMs);
  void endHealth(room, id);
  room.forwarders.ended(record);
  room.execs.containerEnded(id);
  // An end that was seen has been heard of before.
  const oomUnheard = oomKilled && !(isRunning(record.state) && record.state.oomKilled === true);
  announceEnd(room, record, { exitCode, oomUnheard, startedNs, finishedNs });
  room.waiters.ended(id, { exitCode, ...(error !== "" && { error }) });
  if (record.spec.autoRemove && !room.restarting.has(id)) await erase(room, id, { volumes: true });
}

async function watch(room: Room, id: string, monitor: Monitor, departed: PromiseWithResolvers<void>): Promise<void> {
  room.departing.set(id, departed.promise);
  try {
    const end = await endFacts(room, id, monitor);
    if (end === "goes on") return;
    await recordEnd(room, id, end);
  } catch (error) {
    room.onUnexpected(error);
  }
  if (room.live.get(id)?.monitor === monitor) room.live.delete(id);
  void room.background.add(async () => await depart(room, id, monitor, departed));
}

/** How it ended; undefined when nobody saw it; `goes on` when only the connection ended. */
async function endFacts(room: Room, id: string, monitor: Monitor): Promise<ExitFacts | undefined | "goes on"> {
  try {
    return await monitor.exited;
  } catch {
    if (room.closing) return "goes on";
    const { bundle } = foldersOf(room.host.paths, id);
    const again = await room.host.shim.openMonitor(bundle);
    const pid = room.live.get(id)?.pid;
    if (again !== undefined && pid !== undefined) {
      supervise(room, id, again, pid);
      watchMemory(room, id, again);
      return "goes on";
    }
    // The monitor died: its last record, if it came so far. Nothing of the container may go on without one.
    const facts = await room.host.shim.readExitRecord(bundle);
    await tearDown(room, id);
    return facts;
  }
}

/** Waits for the runtime's own cleaning, then removes the bundle. */
async function depart(room: Room, id: string, monitor: Monitor, departed: PromiseWithResolvers<void>): Promise<void> {
  try {
    await monitor.gone;
    await monitor[Symbol.asyncDispose]();
    await rm(foldersOf(room.host.paths, id).bundle, { recursive: true, force: true });
  } finally {
    if (room.departing.get(id) === departed.promise) room.departing.delete(id);
    departed.resolve();
  }
  await measureAtEnd(room, id);
}

function endOf(room: Room, facts: ExitFacts | undefined): { exitCode: number; finishedNs: bigint; error: string } {
  if (facts === undefined) {
    const error = "the end of the container was not seen: the machine or its monitor stopped";
    return { exitCode: unseenExitCode, finishedNs: room.clock.now(), error };
  }
  return { exitCode: facts.code ?? 128 + (facts.signal ?? 0), finishedNs: facts.timeNs, error: "" };
}

function announceEnd(
  room: Room,
  record: ContainerRecord,
  end: { exitCode: number; oomUnheard: boolean; startedNs: bigint; finishedNs: bigint },
): void {
  if (end.oomUnheard) announce(room, record, "oom");
  const execDuration = String((end.finishedNs - end.startedNs) / 1_000_000_000n);
  announce(room, record, "die", { exitCode: String(end.exitCode), execDuration });
}
