import type { EmittedEvent } from "#core/event";
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
  room.events.emit({ ...eventOf(record, action, attributes), ...(timeNs !== undefined && { timeNs }) });
}

/** The same for what is told to those who listen and not kept. */
export function announcePassing(
  room: Pick<Room, "events">,
  record: ContainerRecord,
  action: string,
  attributes: Readonly<Record<string, string>>,
): void {
  room.events.emit({ ...eventOf(record, action, attributes), passing: true });
}

function eventOf(
  { id, name, process, spec }: ContainerRecord,
  action: string,
  attributes: Readonly<Record<string, string>>,
): EmittedEvent {
  return {
    type: "container",
    action,
    actorId: id,
    attributes: { ...process.labels, ...attributes, image: spec.image, name },
  };
}
