import { Fault } from "#core/fault";
import { announce } from "../announce.ts";
import { ignores, killAndWait, sendSignal } from "./kill.ts";
import type { Room } from "../room.ts";
import { killSignal, parseSignal } from "../config/signals.ts";
import { start } from "./start.ts";
import { endRestarting } from "./policy-end.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";
import { within } from "./within.ts";

export interface StopOptions {
  readonly signal?: string;
  readonly timeoutSeconds?: number;
}

/** Asks the container to end, and kills it when it does not in time; one that waits for its restart does not start again. */
export async function stop(room: Room, nameOrId: string, options: StopOptions): Promise<void> {
  const { id } = room.store.find(nameOrId);
  (await room.locks.take(id))[Symbol.dispose](); // a start under way comes first
  const record = room.store.find(id);
  const signal = parseSignal(options.signal ?? record.process.stopSignal);
  if (!isRunning(record.state) && record.state.status !== "restarting") {
    throw new Fault("notModified", `container ${id} is already stopped`);
  }
  if (!room.stopping) room.store.markStoppedByHand(id, true);
  const isDeaf = ignores(room, record, signal);
  if (isDeaf) {
    const facts = { container: record.name, signal: options.signal ?? record.process.stopSignal, remedy: deafRemedy };
    room.log?.warn("a container does not react to the signal that should stop it", facts);
  }
  // It may have ended by itself a moment ago, and wait for its restart now.
  if (!(await endRestarting(room, id))) await endRun(room, id, signal, secondsFor(record, options));
  announce(room, record, "stop", isDeaf ? { ignored: "true" } : {});
}

/** Whether the signal that stops this container can do nothing to it. */
export function ignoresStopSignal(room: Room, record: ContainerRecord): boolean {
  return ignores(room, record, parseSignal(record.process.stopSignal));
}

/** Stops the container if it runs, and starts it. */
export async function restart(room: Room, nameOrId: string, options: StopOptions): Promise<void> {
  const { id } = room.store.find(nameOrId);
  room.restarting.add(id); // its end is not the one that `--rm` waits for
  try {
    await stop(room, id, options).catch((error: unknown) => {
      if (!(error instanceof Fault && error.kind === "notModified")) throw error;
    });
    await start(room, id);
  } finally {
    room.restarting.delete(id);
  }
  announce(room, room.store.find(id), "restart");
}

async function endRun(room: Room, id: string, signal: number, seconds: number): Promise<void> {
  const live = room.live.get(id);
  if (live === undefined) return;
  if (signal === killSignal) {
    await killAndWait(room, id);
    return;
  }
  await sendSignal(room, id, signal);
  if (seconds < 0) await live.ended;
  else if (!(await within(live.ended, seconds * 1000))) await killAndWait(room, id);
}

function secondsFor(
  { spec }: { readonly spec: { readonly stopTimeoutSeconds?: number } },
  options: StopOptions,
): number {
  return options.timeoutSeconds ?? spec.stopTimeoutSeconds ?? defaultStopSeconds;
}

const defaultStopSeconds = 10;
const deafRemedy = "run it with --init, or by the exec form of ENTRYPOINT and CMD, or set another STOPSIGNAL";
