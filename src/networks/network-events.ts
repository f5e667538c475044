import type { EventSink } from "#core/event";
import type { Network } from "./networks.ts";
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

/** Tells that a network came or went. */
export function reportNetwork(events: EventSink, action: "create" | "destroy", { id, name, driver }: Network): void {
  events.emit({ type: "network", action, actorId: id, attributes: { name, type: driver } });
}
