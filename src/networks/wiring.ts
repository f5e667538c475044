import type { EventSink } from "#core/event";
import type { Machine } from "#host";
import type { HostView } from "./addresses/occupied.ts";
import type { SubnetSource } from "./addresses/subnet-choice.ts";
import type { Drivers } from "./drivers/drivers.ts";
import type { Firewall } from "./firewall/firewall.ts";
import type { ForwardCheck } from "./firewall/forward-check.ts";
import type { Bridges } from "./links/bridges.ts";
import type { Departures } from "./links/departures.ts";
import type { InstanceNames } from "./names.ts";
import type { PortHold, PortHolds } from "./ports/port-holds.ts";
import type { Resolver } from "./resolver/resolver-client.ts";
import type { WarmSlots } from "./slots/warm-slots.ts";

/** Follows what happens on the host, from the first bridge on. */
export interface Watch {
  start(): void;
  close(): Promise<void>;
}

/** The parts of the open room; `openNetworks` puts them together. */
export interface Wiring extends HostView {
  readonly machine: Pick<Machine, "resolvConf" | "ipv4Forwarding" | "ipv6Loopback" | "hasLink">;
  readonly names: InstanceNames;
  readonly now: () => bigint;
  readonly events: EventSink;
  readonly bridges: Bridges;
  readonly drivers: Drivers;
  readonly resolver: Resolver;
  /** Where monitors reach it; undefined where there is none. */
  readonly resolverSocket: string | undefined;
  readonly firewall: Firewall;
  /** What notices when somebody takes bridges or rules away. */
  readonly watch: Watch;
  readonly forwardCheck: ForwardCheck;
  readonly departures: Departures;
  readonly ports: PortHolds;
  /** Whether ports of which nobody says otherwise are open whatever the host's own firewall says. */
  readonly exposes: boolean;
  /** By container. */
  readonly held: Map<string, PortHold>;
  readonly slots: WarmSlots;
  /** Where new networks get their subnets. */
  readonly sources: readonly SubnetSource[];
}
