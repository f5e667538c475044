/** The door of `networks/`: networks, endpoints, address pools, published ports, firewall ruleset, names. */
import type { Clock } from "#core/clock";
import type { EventSink } from "#core/event";
import type { Log } from "#core/log";
import type {
  Database,
  DetachedProgram,
  ForwardObstacle,
  HeldPort,
  Machine,
  MonitorSlot,
  Paths,
  Shim,
  UserNamespace,
} from "#host";

export type NetworkDriver = "bridge" | "macvlan" | "ipvlan" | "host" | "null";

/** A network as `docker network inspect` shows it. */
export interface Network {
  readonly id: string;
  readonly name: string;
  readonly driver: NetworkDriver;
  readonly createdNs: bigint;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** Its containers reach each other and nothing else. */
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly ipam: Ipam;
  /** Driver options such as `com.docker.network.bridge.name`. */
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** Where a network's addresses come from. */
export interface Ipam {
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  /** At most one of each family in use; of a network that exists, complete with gateway. */
  readonly pools: readonly IpamPool[];
}

/** One subnet, as text: `10.1.0.0/24`, `fd00::/64`. */
export interface IpamPool {
  readonly subnet?: string;
  /** Containers' own addresses are taken from here; the whole subnet when absent. */
  readonly range?: string;
  readonly gateway?: string;
  /** Addresses that are somebody else's, by name. */
  readonly auxiliary: Readonly<Record<string, string>>;
}

/** What `network create` asks for. */
export interface NetworkRequest extends Omit<Network, "id" | "driver" | "createdNs"> {
  /** Empty: `bridge`. */
  readonly driver: string;
  readonly scope: string;
}

/** What the create request's `HostConfig.NetworkMode` means. */
export type NetworkMode =
  | { readonly kind: "none" }
  | { readonly kind: "host" }
  | { readonly kind: "container"; readonly containerId: string }
  /** Another program's network namespace, by an absolute path. */
  | { readonly kind: "namespace"; readonly path: string }
  | { readonly kind: "network"; readonly name: string };

/** A network that a container is to be in, and how. */
export interface EndpointRequest {
  /** Name, id or unique prefix of an id. */
  readonly network: string;
  /** Addresses of its own choice, as text. */
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly linkLocal: readonly string[];
  readonly macAddress?: string;
  readonly aliases: readonly string[];
  /** `container:alias` or `container`. */
  readonly links: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  /** The default route goes by the endpoint with the greatest. */
  readonly gatewayPriority: number;
}

export type PortProtocol = "tcp" | "udp" | "sctp";

/** A port that the container serves and where it is to be reached. */
export interface PortRequest {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  /** Empty: every address of the host, of both families. */
  readonly hostIp: string;
  /** First and last wanted host port; 0–0 takes a free one from the ephemeral range. A range wider than one takes the first free one. */
  readonly hostPort: { readonly first: number; readonly last: number };
  /** Whether it is open whatever the host's own firewall says; the daemon's setting when absent. */
  readonly exposed?: boolean;
}

/** A port as it is bound: one address of the host, or all of a family (`0.0.0.0`, `::`). */
export interface PublishedPort {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  readonly hostIp: string;
  /** 0 in a routed network: it is reached by the container's own address and port. */
  readonly hostPort: number;
  /** Open whatever the host's own firewall says. */
  readonly exposed?: true;
}

/** Who decides about published ports: `respect` the host's own input chains, `docker` nobody. */
export type FirewallSetting = "respect" | "docker";

/** An address in a network; the gateway is empty where there is none. */
export interface EndpointAddress {
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
}

/** A container's place in a network. */
export interface Endpoint {
  readonly id: string;
  readonly networkId: string;
  readonly networkName: string;
  readonly ipv4?: EndpointAddress;
  readonly ipv6?: EndpointAddress;
  readonly macAddress: string;
  /** The interface inside, such as `eth0`. */
  readonly interface: string;
  /** All names that this container answers to in this network. */
  readonly dnsNames: readonly string[];
}

/** Where a container is attached. */
export interface Attached {
  /** In the order in which the networks were joined. */
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PublishedPort[];
}

export interface AttachRequest {
  readonly containerId: string;
  /** Empty: nobody is told of it, finds it by any name, or sees it among the members. */
  readonly containerName: string;
  /** What the container calls itself. */
  readonly hostname: string;
  /** With `network`, `endpoints` names at least one. */
  readonly mode: "none" | "host" | "network";
  readonly endpoints: readonly EndpointRequest[];
  readonly ports: readonly PortRequest[];
  /** Name servers in place of the host's, for names that are nobody's here. */
  readonly servers: readonly string[];
  /** The container's user namespace, which its network namespace then belongs to. */
  readonly userNamespace?: UserNamespace;
}

/** A prepared process slot for a container with its network in place. Disposed before the container starts, everything is undone. */
export interface Attachment extends AsyncDisposable {
  /** The slot whose monitor will run the container. With `host` it has the host's network. */
  readonly slot: MonitorSlot;
  /** For `none` and `host` one endpoint without addresses. */
  readonly attached: Attached;
  /** The socket to which its monitor passes questions for names; absent for `none` and `host`. */
  readonly resolver?: string;
  /** Tells that the container now runs: from here on `release` undoes it and disposing does nothing. */
  keep(): void;
}

/** A container in a network, for the network's inspect. */
export interface Member {
  readonly containerId: string;
  readonly containerName: string;
  readonly endpoint: Endpoint;
}

export interface Networks {
  /** By name. */
  list(): Network[];
  /** By name, id or unique prefix of an id. Fault `notFound`: `network X not found`. */
  find(nameOrId: string): Network;
  /** Of one network. */
  membersOf(networkId: string): readonly Member[];
  /**
   * Makes a network. Faults: `conflict` for a name or an address space in use (with the route that clashes), `invalid` for what
   * cannot be, `unsupported`, `exhausted` when no pool has room.
   */
  create(request: NetworkRequest): Promise<{ readonly id: string; readonly warnings: readonly string[] }>;
  /** Faults: `forbidden` for predefined ones and those in use. */
  remove(nameOrId: string): Promise<void>;
  /** All of it or none. Faults: `internal` in Docker's words for a port in use (`driver failed programming external connectivity on endpoint …: Bind for IP:PORT failed: port is already allocated`), `exhausted` for an empty pool. */
  attach(request: AttachRequest, signal: AbortSignal): Promise<Attachment>;
  /** Puts a running container into one more network. */
  connect(containerId: string, request: EndpointRequest, pid: number): Promise<Endpoint>;
  /** Takes a running container out of a network. */
  disconnect(containerId: string, networkId: string, pid: number): Promise<void>;
  /** Undoes what a container that is no more left behind in a network, by its name or id. Fault `notFound` when that is nothing. */
  evict(networkNameOrId: string, container: string): Promise<void>;
  /** Undoes a kept attachment when the container has ended; quiet when there is none. */
  release(containerId: string): Promise<void>;
  /** A kept attachment's container changed its name. */
  rename(containerId: string, name: string): void;
  /** Where a running container is; undefined for one that has no attachment. */
  attachedOf(containerId: string): Attached | undefined;
  /** The ports that its monitor is to hold, with where it is to lead them now. */
  heldPortsOf(containerId: string): readonly HeldPort[];
  /** After a crash: releases what no running container needs, repairs links and ruleset for those that run, given with their processes. */
  reconcile(running: ReadonlyMap<string, number>): Promise<void>;
  /** What other firewalls of this host keep from our networks, with the remedies. */
  obstacles(): Promise<ForwardObstacle[]>;
  /** Removes links and ruleset when no container needs them and the daemon stops for good; leaves them when containers run on. */
  close(): Promise<void>;
}

export interface NetworksOptions {
  readonly database: Database;
  readonly shim: Shim;
  readonly machine: Machine;
  readonly paths: Paths;
  readonly clock: Clock;
  readonly events: EventSink;
  /** Where is told what happens in the background. */
  readonly log?: Log;
  /** `--bip`: address and prefix of the default bridge; undefined picks a free subnet of the pool. */
  readonly bridgeAddress?: string;
  /** Name of the default bridge; derived from the instance when undefined. */
  readonly bridgeName?: string;
  /** `--default-address-pool`: subnets and the size that networks get from each; empty: the built-in ones. */
  readonly addressPools?: readonly AddressPoolSetting[];
  readonly mtu: number;
  /** For ports of which nobody says otherwise; `respect` when absent. */
  readonly firewall?: FirewallSetting;
  /** Whether most containers have user namespaces: their slots are then the ones kept ready. */
  readonly mapsUsers?: boolean;
  /** Warm slots kept ready. */
  readonly warmSlots: number;
  /** Starts a program that lives on without the daemon: the resolver of names. Undefined: containers ask the host's servers. */
  readonly startDetached?: (program: DetachedProgram) => Promise<void>;
}

/** `base=10.0.0.0/8,size=24`. */
export interface AddressPoolSetting {
  readonly base: string;
  /** Prefix length of each network. */
  readonly size: number;
}

export { aloneFault } from "./alone-fault.ts";
export { isAlone, isHosted } from "./drivers/driver.ts";
export { openNetworks } from "./open.ts";
export { isNamed, isPredefined } from "./which-network.ts";
