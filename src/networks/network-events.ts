import type { EventSink } from "#core/event";
import type { EndpointRecord } from "./records.ts";

/** Tells that a container came to a network or left it, with Docker's attributes. */
export function reportEndpoint(events: EventSink, action: "connect" | "disconnect", record: EndpointRecord): void {
  const { network, containerId } = record;
  events.emit({
    type: "network",
    action,
    actorId: network.id,
    attributes: { container: containerId, name: network.name, type: network.driver },
  });
}
