/** The door of `networks/`: networks, endpoints, address pools, published ports, firewall ruleset. */
import type { Clock } from "#core/clock";
import type { EventSink } from "#core/event";
import type { Database, Machine, MonitorSlot, Paths, Shim, UserNamespace } from "#host";

/** A network as `docker network inspect` shows it. */
export interface Network {
  readonly id: string;
  readonly name: string;
  readonly driver: "bridge" | "host" | "null";
  readonly createdNs: bigint;
  readonly subnet?: string;
  readonly gateway?: string;
  /** Driver options such as `com.docker.network.bridge.name`. */
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** What the create request's `HostConfig.NetworkMode` means. */
export type NetworkMode =
  | { readonly kind: "none" }
  | { readonly kind: "host" }
  | { readonly kind: "container"; readonly containerId: string }
  | { readonly kind: "network"; readonly name: string };

/** A port that the container serves and where it is to be reached. */
export interface PortRequest {
  readonly protocol: "tcp" | "udp";
  readonly containerPort: number;
  /** Empty: every address of the host. */
  readonly hostIp: string;
  /** First and last wanted host port; 0–0 takes a free one from the ephemeral range. A range wider than one takes the first free one. */
  readonly hostPort: { readonly first: number; readonly last: number };
}

/** A port as it is bound. */
export interface PublishedPort {
  readonly protocol: "tcp" | "udp";
  readonly containerPort: number;
  readonly hostIp: string;
  readonly hostPort: number;
}

/** A container's place in a network. */
export interface Endpoint {
  readonly id: string;
  readonly networkId: string;
  readonly networkName: string;
  readonly ipAddress: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly macAddress: string;
  readonly ports: readonly PublishedPort[];
}

export interface AttachRequest {
  readonly containerId: string;
  readonly containerName: string;
  readonly mode: Exclude<NetworkMode, { readonly kind: "container" }>;
  readonly ports: readonly PortRequest[];
  /** The container's user namespace, which its network namespace then belongs to. */
  readonly userNamespace?: UserNamespace;
}

/** A prepared process slot for a container with its network in place. Disposed before the container starts, everything is undone. */
export interface Attachment extends AsyncDisposable {
  /** The slot whose monitor will run the container. With `host` it has the host's network. */
  readonly slot: MonitorSlot;
  /** Absent for `none` and `host`. */
  readonly endpoint?: Endpoint;
  /** Tells that the container now runs: from here on `release` undoes it and disposing does nothing. */
  keep(): void;
}

export interface Networks {
  list(): Network[];
  /** By name, id or unique prefix of an id. Fault `notFound`: `network X not found`. */
  find(nameOrId: string): Network;
  /** Endpoints by container in a network, for inspect. */
  endpointsOf(
    networkId: string,
  ): readonly { readonly containerId: string; readonly containerName: string; readonly endpoint: Endpoint }[];
  /** All of it or none. Faults: `conflict`/`internal` in Docker's words for a port in use (`driver failed programming external connectivity on endpoint …: Bind for IP:PORT failed: port is already allocated`), `exhausted` for an empty pool. */
  attach(request: AttachRequest, signal: AbortSignal): Promise<Attachment>;
  /** Undoes a kept attachment when the container has ended; quiet when there is none. */
  release(containerId: string): Promise<void>;
  /** A kept attachment's container changed its name. */
  rename(containerId: string, name: string): void;
  /** The endpoint of a running container. */
  endpointOf(containerId: string): Endpoint | undefined;
  /** After a crash: releases what no running container needs, repairs bridge and ruleset for those that run. */
  reconcile(running: ReadonlySet<string>): Promise<void>;
  /** Removes bridge and ruleset when no container needs them and the daemon stops for good; leaves them when containers run on. */
  close(): Promise<void>;
}

export interface NetworksOptions {
  readonly database: Database;
  readonly shim: Shim;
  readonly machine: Machine;
  readonly paths: Paths;
  readonly clock: Clock;
  readonly events: EventSink;
  /** `--bip`: address and prefix of the default bridge; undefined picks a free subnet of the pool. */
  readonly bridgeAddress?: string;
  /** Name of the default bridge; derived from the instance when undefined. */
  readonly bridgeName?: string;
  readonly mtu: number;
  /** Whether most containers have user namespaces: their slots are then the ones kept ready. */
  readonly mapsUsers?: boolean;
  /** Warm slots kept ready. */
  readonly warmSlots: number;
}

export { openNetworks } from "./open.ts";
export type { ContainerNames, EndpointNames } from "./resolver/container-names.ts";
export { openResolver, type Resolver, type ResolverClientOptions } from "./resolver/resolver-client.ts";
export { resolverProgram } from "./resolver/resolver-program.ts";
