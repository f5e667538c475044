import type { Digest } from "#core/digest";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";

/** Bytes of a container's writable layer, and with those of its image's layers. */
export interface ContainerSizes {
  readonly writableBytes: number;
  readonly rootBytes: number;
}

/** The sizes of containers by id; those that are removed meanwhile are left out. */
export async function sizes(room: Room, ids: readonly string[]): Promise<ReadonlyMap<string, ContainerSizes>> {
  const records = ids.flatMap((id) => room.store.get(id) ?? []);
  const asked = records.map((record) => ({ container: record.id, settled: isSettled(room, record) }));
  const writable = await room.images.rootSizes(asked);
  const imageBytes = new Map<Digest, number>();
  const imageBytesOf = (id: Digest): number => {
    const known = imageBytes.get(id) ?? sizeOfImage(room, id);
    imageBytes.set(id, known);
    return known;
  };
  return new Map(
    records.flatMap(({ id, imageId }) => {
      const writableBytes = writable.get(id);
      if (writableBytes === undefined) return [];
      return [[id, { writableBytes, rootBytes: writableBytes + imageBytesOf(imageId) }] as const];
    }),
  );
}

/** Measures a container that has just ended, so that nobody has to wait for it later. */
export async function measureAtEnd(room: Room, id: string): Promise<void> {
  const record = room.store.get(id);
  if (record !== undefined && isSettled(room, record)) await room.images.rootSizes([{ container: id, settled: true }]);
}

/** Whether nobody writes to its layer: it does not run, nothing is done to it, and its last run is tidied up. */
function isSettled(room: Room, { id, state }: ContainerRecord): boolean {
  const rests = state.status === "created" || state.status === "exited" || state.status === "dead";
  return rests && !room.locks.isHeld(id) && !room.departing.has(id);
}

/** An image whose last name went is still found by its id while a container holds it. */
function sizeOfImage({ images }: Room, id: Digest): number {
  try {
    return images.find(id).sizeBytes;
  } catch {
    return 0;
  }
}
