import { Fault } from "#core/fault";
import { announce } from "../announce.ts";
import { killAndWait, sendSignal, within } from "./kill.ts";
import type { Room } from "../room.ts";
import { killSignal, parseSignal } from "../config/signals.ts";
import { start } from "./start.ts";
import { isRunning } from "../state.ts";

export interface StopOptions {
  readonly signal?: string;
  readonly timeoutSeconds?: number;
}

/** Asks the container to end, and kills it when it does not in time. */
export async function stop(room: Room, nameOrId: string, options: StopOptions): Promise<void> {
  const { id } = room.store.find(nameOrId);
  (await room.locks.take(id))[Symbol.dispose](); // a start under way comes first
  const record = room.store.find(id);
  const live = room.live.get(id);
  const signal = parseSignal(options.signal ?? record.process.stopSignal);
  if (!isRunning(record.state) || live === undefined) {
    throw new Fault("notModified", `container ${id} is already stopped`);
  }
  const seconds = options.timeoutSeconds ?? record.spec.stopTimeoutSeconds ?? defaultStopSeconds;
  if (signal === killSignal) await killAndWait(room, id);
  else {
    await sendSignal(room, id, signal);
    if (seconds < 0) await live.ended;
    else if (!(await within(live.ended, seconds * 1000))) await killAndWait(room, id);
  }
  announce(room, record, "stop");
}

/** Stops the container if it runs, and starts it. */
export async function restart(room: Room, nameOrId: string, options: StopOptions): Promise<void> {
  const record = room.store.find(nameOrId);
  const { id } = record;
  room.restarting.add(id); // its end is not the one that `--rm` waits for
  try {
    if (isRunning(record.state)) {
      await stop(room, id, options).catch((error: unknown) => {
        if (!(error instanceof Fault && error.kind === "notModified")) throw error;
      });
    }
    await start(room, id);
  } finally {
    room.restarting.delete(id);
  }
  announce(room, record, "restart");
}

const defaultStopSeconds = 10;
