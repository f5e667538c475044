import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import type { ContainerDefaults } from "#core/oci";
import { familiar } from "#core/reference";
import { announce } from "../announce.ts";
import type { CommitRequest } from "../containers.ts";
import { cgroupOf } from "../life/runtime.ts";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";
import { committedConfig, mergedConfig } from "./committed-config.ts";

/** Makes an image of a container as it is now. */
export async function commit(
  room: Room,
  nameOrId: string,
  request: CommitRequest,
  signal: AbortSignal,
): Promise<Digest> {
  const record = room.store.find(nameOrId);
  if (record.state.status === "dead")
    throw new Fault("conflict", `You cannot commit container ${record.id} which is Dead`);
  const own = committedConfig(record.process, declaredVolumes(room, record));
  await using _still = request.pause ? await holdStill(room, record.id) : undefined;
  const id = await room.images.commitRoot(
    record.id,
    {
      config: request.config === undefined ? own : mergedConfig(request.config, own),
      changes: request.changes,
      author: request.author,
      comment: request.message,
      createdBy: record.process.command.join(" "),
      ...(request.reference !== undefined && { reference: request.reference }),
    },
    signal,
  );
  announce(room, record, "commit", {
    comment: request.message,
    imageID: id,
    imageRef: request.reference === undefined ? "" : familiar(request.reference),
  });
  return id;
}

/** The places that are volumes in containers of the image, whatever is in them here. Records of earlier versions have the image's alone. */
function declaredVolumes({ images }: Room, { imageId, process }: ContainerRecord): ContainerDefaults["Volumes"] {
  if (process.volumes !== undefined) return Object.fromEntries(process.volumes.map((target) => [target, {}]));
  try {
    return images.find(imageId).config.config?.Volumes;
  } catch {
    return undefined;
  }
}

/**
 * Freezes a container that runs until the answer is disposed, so that its files belong together. Its state stays what it
 * is: a daemon that dies meanwhile thaws it at its next start.
 */
async function holdStill(room: Room, id: string): Promise<AsyncDisposable | undefined> {
  using _lock = await room.locks.take(id);
  if (room.store.get(id)?.state.status !== "running") return undefined;
  const { cgroups } = room.host;
  await cgroups.freeze(cgroupOf(room, id));
  return {
    [Symbol.asyncDispose]: async () => {
      using _lock = await room.locks.take(id);
      if (room.store.get(id)?.state.status !== "running") return; // ended, or paused by somebody
      await cgroups.thaw(cgroupOf(room, id)).catch(() => undefined); // it may have ended
    },
  };
}
