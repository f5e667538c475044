import { Fault, isFault } from "#core/fault";
import { announce } from "../announce.ts";
import type { Room } from "../room.ts";
import { killSignal, parseSignal } from "../config/signals.ts";
import { cgroupOf } from "./runtime.ts";
import { resumeHealth } from "./health.ts";
import { endRestarting } from "./policy-end.ts";
import { isRunning, restartingFault } from "../state.ts";
import { within } from "./within.ts";
import type { ContainerRecord } from "../store.ts";

/** Sends a signal to the container's first process; with KILL, waits for the end. */
export async function kill(room: Room, nameOrId: string, signalText: string | undefined): Promise<void> {
  const record = room.store.find(nameOrId);
  const { id, state } = record;
  const signal = parseSignal(signalText === undefined || signalText === "" ? "KILL" : signalText);
  if (!isRunning(state) && state.status !== "restarting") {
    throw new Fault("conflict", `cannot kill container: ${nameOrId}: container ${id} is not running`);
  }
  if (meansStop(signal, record)) {
    room.store.markStoppedByHand(id, true);
    if (await endRestarting(room, id)) return;
  } else if (state.status === "restarting") throw restartingFault(record);
  if (signal === killSignal) await killAndWait(room, id);
  else await sendSignal(room, id, signal);
}

/**
 * Whether a person who sends that signal wants the container to end, so that its policy does not bring it back. A server that
 * is told by HUP or USR1 to read its configuration again keeps its policy (Docker takes that away, too).
 */
function meansStop(signal: number, { process }: ContainerRecord): boolean {
  return endingSignals.has(signal) || signal === parseSignal(process.stopSignal);
}

const endingSignals: ReadonlySet<number> = new Set(["KILL", "TERM", "INT", "QUIT"].map(parseSignal));

/** Kills a running container and waits until its end is in the store. */
export async function killAndWait(room: Room, id: string): Promise<void> {
  const live = room.live.get(id);
  if (live === undefined) return;
  await sendSignal(room, id, killSignal);
  if (await within(live.ended, killTimeMs)) return;
  throw new Fault("internal", "tried to kill container, but did not receive an exit event", {
    remedy: "A process of it hangs in the kernel; look for state D in `ps`.",
  });
}

/** Sends a signal; a paused container is woken, as it could not act on it otherwise. An end that came first is no failure. */
export async function sendSignal(room: Room, id: string, signal: number): Promise<void> {
  const live = room.live.get(id);
  const record = room.store.get(id);
  if (live === undefined || record === undefined) return;
  const isDeaf = ignores(room, record, signal);
  try {
    await live.monitor.signal(signal);
  } catch (error) {
    // A monitor goes as soon as it has told the end: asked in that moment it does not answer any more.
    const isOver =
      isFault(error, "conflict") || (isFault(error, "unavailable") && (await within(live.ended, goneTimeMs)));
    if (!isOver) throw error;
  }
  announce(room, record, "kill", { signal: String(signal), ...(isDeaf && { ignored: "true" }) });
  if (record.state.status !== "paused") return;
  await room.host.cgroups.thaw(cgroupOf(room, id));
  const { state } = room.store.get(id) ?? record;
  if (state.status !== "paused") return;
  room.store.transition(id, { ...state, status: "running" });
  resumeHealth(room, id, { takenUp: false });
}

/** Whether that signal can do nothing to the container's first process. */
export function ignores(room: Room, { state }: ContainerRecord, signal: number): boolean {
  return isRunning(state) && room.host.machine.isDeafTo(state.pid, signal);
}

const killTimeMs = 30_000;
const goneTimeMs = 5000;
