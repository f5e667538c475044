import type { EndpointSettings } from "./container-config.ts";

/** A network's subnet, as requests and answers carry it; empty fields are absent. */
export interface NetworkIpamPool {
  /** `10.1.0.0/24` */
  readonly Subnet?: string;
  readonly IPRange?: string;
  readonly Gateway?: string;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>>;
}

/** Where a network's addresses come from, as requests carry it. */
export interface NetworkIpam {
  readonly Driver?: string;
  readonly Options?: Readonly<Record<string, string>> | null;
  readonly Config?: readonly NetworkIpamPool[] | null;
}

/** Body of `POST /networks/create`. */
export interface NetworkCreateRequest {
  readonly Name?: string;
  /** Without effect: names are unique. */
  readonly CheckDuplicate?: boolean;
  /** Empty: `bridge`. */
  readonly Driver?: string;
  readonly Scope?: string;
  /** Absent: true. */
  readonly EnableIPv4?: boolean;
  readonly EnableIPv6?: boolean;
  readonly IPAM?: NetworkIpam;
  readonly Internal?: boolean;
  readonly Attachable?: boolean;
  readonly Ingress?: boolean;
  readonly ConfigOnly?: boolean;
  readonly ConfigFrom?: { readonly Network?: string };
  readonly Options?: Readonly<Record<string, string>>;
  readonly Labels?: Readonly<Record<string, string>>;
}

/** Answer of `POST /networks/create`. */
export interface NetworkCreateAnswer {
  readonly Id: string;
  readonly Warning: string;
}

/** Body of `POST /networks/{id}/connect`. */
export interface NetworkConnectRequest {
  readonly Container?: string;
  readonly EndpointConfig?: Partial<EndpointSettings>;
}

/** Body of `POST /networks/{id}/disconnect`. */
export interface NetworkDisconnectRequest {
  readonly Container?: string;
  readonly Force?: boolean;
}

/** `POST /networks/prune`: names. */
export interface NetworksPruneAnswer {
  readonly NetworksDeleted: readonly string[] | null;
}

/** A container in `GET /networks/{id}`. */
export interface NetworkContainer {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  /** With prefix length: `172.17.0.2/16`. */
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}

/** `GET /networks/{id}`; `GET /networks` has the same with `Containers` empty (before API 1.28 it has them too). */
export interface NetworkInspect {
  readonly Name: string;
  readonly Id: string;
  readonly Created: string;
  readonly Scope: string;
  readonly Driver: string;
  /** From API 1.47 on. */
  readonly EnableIPv4?: boolean;
  readonly EnableIPv6: boolean;
  readonly IPAM: {
    readonly Driver: string;
    readonly Options: Readonly<Record<string, string>> | null;
    readonly Config: readonly NetworkIpamPool[] | null;
  };
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly ConfigFrom: { readonly Network: string };
  readonly ConfigOnly: boolean;
  readonly Containers: Readonly<Record<string, NetworkContainer>>;
  readonly Options: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
}
