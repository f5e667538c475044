import { apiVersion, type ApiVersion, type EventMessage } from "#api/wire";
import type { Event } from "#core/event";

/** One line of `GET /events`; undefined for events that the client's version does not know. */
export function eventMessage(event: Event, version: ApiVersion): EventMessage | undefined {
  if (event.type === "image" && event.action === "create" && version < apiVersion("1.46")) return undefined;
  const { image } = event.attributes;
  const hasOldFields = event.type === "container" || event.type === "image";
  return {
    ...(hasOldFields && { status: event.action, id: event.actorId }),
    ...(event.type === "container" && image !== undefined && { from: image }),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.actorId, Attributes: event.attributes },
    scope: "local",
    time: Number(event.timeNs / 1_000_000_000n),
    timeNano: event.timeNs,
  };
}
