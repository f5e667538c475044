import { rm } from "node:fs/promises";
import { announce } from "../announce.ts";
import { foldersOf } from "./folders.ts";
import { imageRoots, ownVolumes } from "../mounts/settle.ts";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";
import { lastExitCode } from "../state.ts";

/**
 * Removes a container that does not run; the caller holds its lock. The record goes first: what a crash leaves then
 * belongs to nobody, and the next start cleans it. A record without its root would be a broken container. `volumes`: those
 * of its own that nobody gave a name and nobody else holds go too.
 */
export async function erase(room: Room, id: string, { volumes }: { readonly volumes: boolean }): Promise<void> {
  const record = room.store.get(id);
  if (record === undefined) return;
  const leaving = volumes ? ownVolumes(record) : [];
  room.store.delete(id, () => room.volumes.release(id, leaving));
  room.restarts.forget(id);
  room.execs.containerRemoved(id);
  for (const session of room.waitingSessions.get(id) ?? []) session.abandon();
  room.waitingSessions.delete(id);
  // Each has its turn, whatever becomes of the others: on a full disk, say.
  await using rest = new AsyncDisposableStack();
  rest.defer(() => {
    announce(room, record, "destroy");
    room.waiters.removed(id, { exitCode: lastExitCode(record.state) });
  });
  rest.defer(async () => await room.volumes.removeUnheld(leaving));
  rest.defer(async () => await cleanFolder(room, record));
  for (const root of [...imageRoots(record).toReversed(), id]) rest.defer(async () => await room.images.dropRoot(root));
  await room.views.end(id);
}

async function cleanFolder(room: Room, record: ContainerRecord): Promise<void> {
  const { data } = foldersOf(room.host.paths, record.id);
  const clean = async (): Promise<void> => await rm(data, { recursive: true, force: true });
  // Its log's target may want some seconds more: nobody has to wait for that.
  const farewell = room.forwarders.release(record);
  if (farewell === undefined) await room.background.add(clean);
  else void farewell.then(clean).catch(room.onUnexpected);
}
