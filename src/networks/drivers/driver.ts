import type { Address, Family } from "../addresses/address.ts";
import type { NetworkAddresses } from "../addresses/network-addresses.ts";
import type { EndpointPlan } from "../links/link-commands.ts";
import type { Network, NetworkDriver, NetworkRequest } from "../networks.ts";
import type { EndpointRecord } from "../records.ts";

/** What makes the networks of one kind on this host, and puts containers into them. */
export interface Driver {
  /** Checks what a new network asks of it, and that this kernel can do it. Faults: `invalid`, `unsupported`. Answers the warnings. */
  check(request: NetworkRequest): Promise<readonly string[]>;
  /** Checks that no other network has what the new one asks for. Fault `forbidden`. */
  mustBeFree(request: NetworkRequest): void;
  of(network: Network): NetworkPresence;
  /** Makes what a new network needs; the records have it already. `undo` takes it back. */
  create(network: Network, undo: AsyncDisposableStack): Promise<void>;
  /** Removes what we made for the network; the records no longer have it. */
  remove(network: Network): Promise<void>;
  /** The link of the host that the network's traffic goes by. */
  hostLink(network: Network): string;
  /** A new name for the host's end of an endpoint; empty where it has none. */
  newLink(): string;
  /** Makes an endpoint and gives it its place in the container's namespace: all of it or nothing. */
  plug(network: Network, plug: EndpointPlug): Promise<void>;
  /** Takes an endpoint away from a running container; quiet when it is gone already. */
  unplug(endpoint: EndpointRecord, pid: number): Promise<void>;
}

/** A network on this host. */
export interface NetworkPresence {
  /** As it is now: where the default bridge's subnet lies turns out late. */
  readonly network: Network;
  readonly addresses: NetworkAddresses;
  /** The MAC address of its endpoints where it is not theirs to choose; empty when they have none of their own. */
  readonly fixedMac?: string | undefined;
  /** Makes what the network needs on this host, unless it is there. Fault `notFound` when the network was removed. */
  ensure(): Promise<void>;
}

/** Where a default route leads. */
export interface Way {
  readonly family: Family;
  /** Undefined: everything is reached by the interface itself. */
  readonly gateway?: Address;
}

/** An endpoint that is to be made. */
export interface EndpointPlug {
  readonly plan: EndpointPlan;
  /** A process in the container's namespace. */
  readonly pid: number;
  /** The container's default routes that go by this endpoint. */
  readonly ways: readonly Way[];
  /** More kernel settings of its interface. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Whether a network of that driver is the host's own or none at all, which a container then is in alone. */
export function isAlone(driver: NetworkDriver): driver is "host" | "null" {
  return driver === "host" || driver === "null";
}

/**
 * Whether networks of that driver are this host's: it is their gateway, publishes their containers' ports, and nobody else has
 * their subnets. With macvlan and ipvlan all of that is the business of the network outside.
 */
export function isHosted({ driver }: { readonly driver: string }): boolean {
  return driver === "bridge";
}
