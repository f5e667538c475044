import { Fault } from "#core/fault";
import type { ContainerFilters, ContainerState } from "../containers.ts";
import { erase } from "./erase.ts";
import { selectPrunable } from "../filters.ts";
import { killAndWait } from "./kill.ts";
import type { Room } from "../room.ts";
import { endRestarting } from "./policy-end.ts";
import { isRunning } from "../state.ts";

/** Removes a container; a running one only by force. */
export async function remove(
  room: Room,
  nameOrId: string,
  options: { readonly force: boolean; readonly volumes: boolean },
): Promise<void> {
  const { id, name } = room.store.find(nameOrId);
  // A start under way is waited for.
  const { state } = await settled(room, id);
  if (isRunning(state) || state.status === "restarting") {
    if (!options.force) throw runningFault(name, state);
    room.restarting.add(id); // neither `--rm` nor a policy must race with this removal
    try {
      if (!(await endRestarting(room, id))) await killAndWait(room, id);
    } finally {
      room.restarting.delete(id);
    }
  }
  using _lock = await room.locks.take(id);
  const now = room.store.get(id);
  if (now === undefined) return;
  if (isRunning(now.state) || now.state.status === "restarting") throw runningFault(name, now.state);
  await erase(room, id, options);
}

/** Removes every container that does not run and matches. */
export async function prune(
  room: Room,
  filters: ContainerFilters,
): Promise<{ readonly removed: readonly string[]; readonly reclaimedBytes: number }> {
  const removed: string[] = [];
  let reclaimedBytes = 0;
  for (const { id } of selectPrunable(room.store.all(), filters, room.clock.now())) {
    using _lock = await room.locks.take(id);
    const record = room.store.get(id);
    if (record === undefined || !isPrunable(record.state)) continue;
    const sizes = await room.images.rootSizes([{ container: id, settled: true }]).catch(() => undefined);
    await erase(room, id, { volumes: false });
    removed.push(id);
    reclaimedBytes += sizes?.get(id) ?? 0;
  }
  if (removed.length > 0 || reclaimedBytes > 0) announcePrune(room, reclaimedBytes);
  return { removed, reclaimedBytes };
}

function announcePrune(room: Room, reclaimedBytes: number): void {
  room.events.emit({
    type: "container",
    action: "prune",
    actorId: "",
    attributes: { reclaimed: String(reclaimedBytes) },
  });
}

function isPrunable(state: ContainerState): boolean {
  return state.status === "created" || state.status === "exited" || state.status === "dead";
}

/** The record once no transition of it is under way. */
async function settled(room: Room, id: string): Promise<{ readonly state: ContainerState }> {
  using _lock = await room.locks.take(id);
  const record = room.store.get(id);
  if (record === undefined) throw new Fault("notFound", `No such container: ${id}`);
  return record;
}

function runningFault(name: string, state: ContainerState): Fault {
  const reason =
    state.status === "paused"
      ? "container is paused and must be unpaused first"
      : `container is ${state.status}: stop the container before removing or force remove`;
  return new Fault("conflict", `cannot remove container "/${name}": ${reason}`);
}
