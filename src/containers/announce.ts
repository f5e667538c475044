import type { Room } from "./room.ts";
import type { ContainerRecord } from "./store.ts";

/** Reports what happened to a container, with Docker's attributes: its labels, `image`, `name`, and those of the action. */
export function announce(
  room: Pick<Room, "events">,
  record: ContainerRecord,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
  timeNs?: bigint,
): void {
  room.events.emit({
    type: "container",
    action,
    actorId: record.id,
    attributes: { ...record.process.labels, ...attributes, image: record.spec.image, name: record.name },
    ...(timeNs !== undefined && { timeNs }),
  });
}
