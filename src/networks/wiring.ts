import type { EventSink } from "#core/event";
import type { Machine } from "#host";
import type { HostView } from "./addresses/occupied.ts";
import type { SubnetSource } from "./addresses/subnet-choice.ts";
import type { Firewall } from "./firewall/firewall.ts";
import type { ForwardCheck } from "./firewall/forward-check.ts";
import type { FirewallWatch } from "./firewall/watch.ts";
import type { Bridges } from "./links/bridges.ts";
import type { Departures } from "./links/departures.ts";
import type { InstanceNames } from "./names.ts";
import type { PortHold, PortHolds } from "./ports/port-holds.ts";
import type { Resolver } from "./resolver/resolver-client.ts";
import type { WarmSlots } from "./slots/warm-slots.ts";

/** The parts of the open room; `openNetworks` puts them together. */
export interface Wiring extends HostView {
  readonly machine: Pick<Machine, "resolvConf" | "ipv4Forwarding">;
  readonly names: InstanceNames;
  readonly now: () => bigint;
  readonly events: EventSink;
  readonly bridges: Bridges;
  readonly resolver: Resolver;
  /** Where monitors reach it; undefined where there is none. */
  readonly resolverSocket: string | undefined;
  readonly firewall: Firewall;
  readonly watch: FirewallWatch;
  readonly forwardCheck: ForwardCheck;
  readonly departures: Departures;
  readonly ports: PortHolds;
  /** Whether ports of which nobody says otherwise are open whatever the host's own firewall says. */
  readonly exposes: boolean;
  /** By container. */
  readonly held: Map<string, readonly PortHold[]>;
  readonly slots: WarmSlots;
  /** Where new networks get their subnets. */
  readonly sources: readonly SubnetSource[];
}
