/** A container in `GET /networks/{id}`. */
export interface NetworkContainer {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  /** With prefix length: `172.17.0.2/16`. */
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}

/** `GET /networks/{id}`; `GET /networks` has the same with `Containers` empty. */
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
    readonly Config: readonly { readonly Subnet?: string; readonly Gateway?: string }[] | null;
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

/** A volume in answers. */
export interface VolumeAnswer {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly CreatedAt?: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Scope: string;
  readonly Options: Readonly<Record<string, string>> | null;
}

/** `GET /volumes`. */
export interface VolumesAnswer {
  readonly Volumes: readonly VolumeAnswer[];
  readonly Warnings: readonly string[] | null;
}
