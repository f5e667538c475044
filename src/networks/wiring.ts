import type { EventSink } from "#core/event";
import type { MonitorSlot } from "#host";
import type { DefaultBridge } from "./default-bridge.ts";
import type { Departures } from "./departures.ts";
import type { Firewall } from "./firewall.ts";
import type { PortHold, PortHolds } from "./port-holds.ts";
import type { WarmEndpoint } from "./prepare-endpoints.ts";
import type { NetworkPrograms } from "./programs.ts";
import type { EndpointRecord, NetworkRecords } from "./records.ts";
import type { Publication } from "./ruleset.ts";
import type { WarmPool } from "./warm-pool.ts";

/** The parts of the open room; `openNetworks` puts them together. */
export interface Wiring {
  readonly records: NetworkRecords;
  readonly programs: NetworkPrograms;
  readonly events: EventSink;
  readonly bridge: DefaultBridge;
  readonly firewall: Firewall;
  readonly departures: Departures;
  readonly ports: PortHolds;
  /** By container. */
  readonly held: Map<string, readonly PortHold[]>;
  /** Slots on the default bridge, on no network, and on the host's. */
  readonly bridgeSlots: WarmPool<WarmEndpoint>;
  readonly lonelySlots: WarmPool<MonitorSlot>;
  readonly hostSlots: WarmPool<MonitorSlot>;
  /** The same for containers with user namespaces of their own. */
  readonly mappedBridgeSlots: WarmPool<WarmEndpoint>;
  readonly mappedLonelySlots: WarmPool<MonitorSlot>;
  /** Slots for a user namespace that is there already. */
  readonly makeSlotIn: (userns: string) => Promise<MonitorSlot>;
  readonly makeEndpointIn: (userns: string) => Promise<WarmEndpoint>;
}

/** What the firewall must do for an endpoint. */
export function publicationsOf({ place }: EndpointRecord): Publication[] {
  if (place === undefined) return [];
  return place.ports.map(({ protocol, hostIp, hostPort, containerPort }) => ({
    protocol,
    hostIp,
    hostPort,
    containerIp: place.address,
    containerPort,
  }));
}

/** Whether the bridge has containers on it. */
export function bridgeInUse(wiring: Pick<Wiring, "records">): boolean {
  return wiring.records.endpoints().some(({ place }) => place !== undefined);
}
