import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { listLogSegments } from "#host";
import type { LogUsage, OldLog } from "../containers.ts";
import { foldersOf } from "../life/folders.ts";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";

/**
 * What the logs take, and which segments could go: those before the last of containers that do not run, once whoever the
 * log is forwarded to has all of it.
 */
export async function logUsage(room: Room): Promise<LogUsage> {
  let totalBytes = 0;
  const old: OldLog[] = [];
  const queue = [...room.store.all()].values();
  const worker = async (): Promise<void> => {
    for (const record of queue) {
      const segments = await segmentsOf(room, record);
      totalBytes += segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) + (await jsonBytes(room, record));
      if (mayGo(room, record)) old.push(...segments.slice(0, -1));
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  return { totalBytes, old };
}

/** Removes a segment if that may still be done; answers the bytes. */
export async function dropOldLog(room: Room, { containerId, segment }: OldLog): Promise<number> {
  using _lock = await room.locks.take(containerId);
  const record = room.store.get(containerId);
  if (record === undefined || !mayGo(room, record)) return 0;
  const found = (await segmentsOf(room, record)).slice(0, -1).find((one) => one.segment === segment);
  if (found === undefined) return 0;
  await unlink(pathOf(room, record, segment));
  return found.sizeBytes;
}

function mayGo(room: Room, { id, state }: ContainerRecord): boolean {
  return state.status === "exited" && !room.departing.has(id) && !room.forwarders.isBusy(id);
}

async function segmentsOf(room: Room, record: ContainerRecord): Promise<OldLog[]> {
  const segments: OldLog[] = [];
  for (const segment of await listLogSegments(foldersOf(room.host.paths, record.id).log)) {
    const facts = await stat(pathOf(room, record, segment), { bigint: true }).catch(() => undefined);
    if (facts === undefined) continue;
    const { id: containerId, name } = record;
    segments.push({ containerId, name, segment, sizeBytes: Number(facts.size), writtenNs: facts.mtimeNs });
  }
  return segments;
}

function pathOf(room: Room, { id }: ContainerRecord, segment: number): string {
  return join(foldersOf(room.host.paths, id).log, `${String(segment).padStart(8, "0")}.log`);
}

/** Docker's JSON lines, where a container asked for them: for others to read, and theirs to remove. */
async function jsonBytes(room: Room, { id, logPath }: ContainerRecord): Promise<number> {
  if (logPath === "") return 0;
  const { data } = foldersOf(room.host.paths, id);
  let bytes = 0;
  for (const name of await readdir(data).catch(() => []))
    if (name.startsWith(`${id}-json.log`)) bytes += (await stat(join(data, name)).catch(() => undefined))?.size ?? 0;
  return bytes;
}
