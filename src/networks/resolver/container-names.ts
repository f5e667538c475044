import { isIPv4, isIPv6 } from "node:net";
import { Fault } from "#core/fault";

/** What the resolver knows of one container: which names lead to it, and what it may ask. */
export interface ContainerNames {
  /** The container's id; its monitor gives the same one. */
  readonly id: string;
  /** One for each network that it is attached to; where a name is in several, the first one's answers. */
  readonly endpoints: readonly EndpointNames[];
  /** Names that only this container sees (`--link`): alias to the id of a container; answered with its addresses in a network that both are in. */
  readonly links: Readonly<Record<string, string>>;
  /** Where other names are asked (`--dns`), as in resolv.conf, with `#port` where it is not 53; empty: the host's own resolvers. */
  readonly servers: readonly string[];
  /** False: attached to internal networks alone; names of the outside are answered with SERVFAIL. */
  readonly external: boolean;
  /** Where the container reaches its host: `host.docker.internal`. */
  readonly host?: HostAddresses;
  /** Whether `ndots` of 1 or more was asked for: addresses of single labels that nobody has are then not asked outside, as in Docker. */
  readonly ndotsSet?: boolean;
}

/** Addresses that the host has in a container's network. */
export interface HostAddresses {
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/** A container's names and addresses in one network. */
export interface EndpointNames {
  /** The network's id. */
  readonly network: string;
  readonly networkName: string;
  /** All that answer in this network, the container's name first (it is what reverse look-ups show); several containers may share one. */
  readonly names: readonly string[];
  readonly ipv4?: string;
  readonly ipv6?: string;
}

const maxEndpoints = 256;
const maxNames = 1024;
const maxLinks = 1024;
const maxServers = 16;

/** A container's state as it came over the wire, its links' aliases in lower case. Fault `invalid` when it is none, or passes a bound. */
export function readContainerNames(value: unknown): ContainerNames {
  const fields = recordOf(value, "container");
  return {
    id: textOf(fields["id"], "id"),
    endpoints: listOf(fields["endpoints"], "endpoints", maxEndpoints).map(readEndpoint),
    links: readLinks(fields["links"]),
    servers: listOf(fields["servers"], "servers", maxServers).map((server) => textOf(server, "server")),
    external: flagOf(fields["external"], "external"),
    ...(fields["host"] !== undefined && { host: readAddresses(recordOf(fields["host"], "host")) }),
    ndotsSet: fields["ndotsSet"] === undefined ? false : flagOf(fields["ndotsSet"], "ndotsSet"),
  };
}

function readEndpoint(value: unknown): EndpointNames {
  const fields = recordOf(value, "endpoint");
  const { network, networkName, names } = fields;
  return {
    network: textOf(network, "network"),
    networkName: textOf(networkName, "networkName"),
    names: listOf(names, "names", maxNames).map((name) => textOf(name, "name")),
    ...readAddresses(fields),
  };
}

function readAddresses({ ipv4, ipv6 }: Record<string, unknown>): HostAddresses {
  if (ipv4 !== undefined && !(typeof ipv4 === "string" && isIPv4(ipv4))) throw refused("ipv4");
  if (ipv6 !== undefined && !(typeof ipv6 === "string" && isIPv6(ipv6) && !ipv6.includes("%"))) throw refused("ipv6");
  return { ...(ipv4 !== undefined && { ipv4 }), ...(ipv6 !== undefined && { ipv6 }) };
}

function readLinks(value: unknown): Record<string, string> {
  const entries = Object.entries(recordOf(value, "links"));
  if (entries.length > maxLinks) throw refused("links");
  return Object.fromEntries(entries.map(([alias, id]) => [textOf(alias, "alias").toLowerCase(), textOf(id, "link")]));
}

function recordOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refused(what);
  return value as Record<string, unknown>;
}

function listOf(value: unknown, what: string, most: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > most) throw refused(what);
  return value as readonly unknown[];
}

/** At most 255 characters, as a name in DNS has. */
function textOf(value: unknown, what: string): string {
  if (typeof value !== "string" || value === "" || value.length > 255) throw refused(what);
  return value;
}

function flagOf(value: unknown, what: string): boolean {
  if (typeof value !== "boolean") throw refused(what);
  return value;
}

function refused(what: string): Fault {
  return new Fault("invalid", `a container's names: bad ${what}`);
}
