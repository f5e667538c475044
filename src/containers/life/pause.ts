import { Fault } from "#core/fault";
import { announce } from "../announce.ts";
import { endHealth, resumeHealth } from "./health.ts";
import type { Room } from "../room.ts";
import { cgroupOf } from "./runtime.ts";
import { restartingFault } from "../state.ts";

/** Freezes all processes of a running container. */
export async function pause(room: Room, nameOrId: string): Promise<void> {
  const { id } = room.store.find(nameOrId);
  using _lock = await room.locks.take(id);
  const record = room.store.find(id);
  const { state } = record;
  if (state.status === "paused") throw new Fault("conflict", `Container ${id} is already paused`);
  if (state.status === "restarting") throw restartingFault(record);
  if (state.status !== "running") throw new Fault("conflict", `Container ${id} is not running`);
  await endHealth(room, id); // a probe that stood still would be late for nothing
  try {
    await room.host.cgroups.freeze(cgroupOf(room, id));
  } catch (error) {
    resumeHealth(room, id, { takenUp: false });
    throw error;
  }
  room.store.transition(id, { ...state, status: "paused" });
  announce(room, record, "pause");
}

/** Lets them go on. */
export async function unpause(room: Room, nameOrId: string): Promise<void> {
  const { id } = room.store.find(nameOrId);
  using _lock = await room.locks.take(id);
  const record = room.store.find(id);
  const { state } = record;
  if (state.status !== "paused") throw new Fault("conflict", `Container ${id} is not paused`);
  await room.host.cgroups.thaw(cgroupOf(room, id));
  room.store.transition(id, { ...state, status: "running" });
  resumeHealth(room, id, { takenUp: false });
  announce(room, record, "unpause");
}
