import type { Monitor } from "#host";
import { announce } from "../announce.ts";
import { attempt, type Room } from "../room.ts";
import { isRunning } from "../state.ts";

/** Hears from now on when a running container's memory runs out. */
export function watchMemory(room: Room, id: string, monitor: Monitor): void {
  monitor.onOutOfMemory((killed, timeNs) => noteOutOfMemory(room, id, killed, timeNs));
}

/** An event each time; and when somebody was killed, be it a child that the container outlives, the mark that Docker shows from then on. */
export function noteOutOfMemory(room: Room, id: string, killed: boolean, timeNs: bigint): void {
  const record = room.store.get(id);
  if (record === undefined) return;
  const { state } = record;
  if (killed && isRunning(state) && state.oomKilled !== true) {
    attempt(room, () => room.store.transition(id, { ...state, oomKilled: true }));
  }
  announce(room, record, "oom", {}, timeNs);
}
