import { apiVersion, type ApiVersion, type EndpointSettings } from "#api/wire";
import type { Container } from "#containers";
import { shortId } from "#core/ids";
import { type Endpoint, type EndpointRequest, isNamed, type Network } from "#networks";
import { endpointRequest } from "../create/endpoints.ts";

/** What networks there are, and for which client it is told. */
export interface NetworkFacts {
  readonly networks: readonly Network[];
  readonly version: ApiVersion;
}

/** The networks of a container by name: those it is in, then those it is to be in with its next start, with empty addresses. */
export function networkMap(
  container: Container,
  { networks, version }: NetworkFacts,
): Readonly<Record<string, EndpointSettings>> {
  const { attached, spec } = container;
  const rows = new Map<string, EndpointSettings>();
  const seen = new Set<EndpointRequest>();
  for (const endpoint of attached?.endpoints ?? []) {
    const asked = spec.endpoints.find(({ network }) =>
      isNamed(network, { id: endpoint.networkId, name: endpoint.networkName }),
    );
    if (asked !== undefined) seen.add(asked);
    const network = networks.find(({ id }) => id === endpoint.networkId);
    rows.set(endpoint.networkName, endpointAnswer({ container, asked, endpoint, network, version }));
  }
  for (const asked of wantedEndpoints(container)) {
    if (seen.has(asked)) continue;
    const network = networks.find((each) => isNamed(asked.network, each));
    rows.set(network?.name ?? asked.network, endpointAnswer({ container, asked, network, version }));
  }
  return Object.fromEntries([...rows].toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** What an endpoint's answer is made from. */
interface EndpointSources {
  readonly container: Container;
  /** Absent where nothing was asked for. */
  readonly asked: EndpointRequest | undefined;
  /** Absent while the container is not in the network. */
  readonly endpoint?: Endpoint;
  /** Absent when there is no such network any more. */
  readonly network: Network | undefined;
  readonly version: ApiVersion;
}

function endpointAnswer({ container, asked, endpoint, network, version }: EndpointSources): EndpointSettings {
  const { ipv4, ipv6 } = endpoint ?? {};
  const leadsOut = network?.internal !== true;
  const isDefault = (endpoint?.networkName ?? network?.name) === "bridge";
  const names = endpoint?.dnsNames ?? [];
  return {
    IPAMConfig: ipamAnswer(asked),
    Links: orNull(asked?.links ?? []),
    Aliases: orNull(aliasesFor(container, asked, isDefault, version)),
    MacAddress: endpoint?.macAddress ?? "",
    DriverOpts: Object.keys(asked?.options ?? {}).length === 0 ? null : (asked?.options ?? null),
    ...(version >= apiVersion("1.48") && { GwPriority: asked?.gatewayPriority ?? 0 }),
    NetworkID: endpoint?.networkId ?? network?.id ?? "",
    EndpointID: endpoint?.id ?? "",
    Gateway: leadsOut ? (ipv4?.gateway ?? "") : "",
    IPAddress: ipv4?.address ?? "",
    IPPrefixLen: ipv4?.prefixLength ?? 0,
    IPv6Gateway: leadsOut ? (ipv6?.gateway ?? "") : "",
    GlobalIPv6Address: ipv6?.address ?? "",
    GlobalIPv6PrefixLen: ipv6?.prefixLength ?? 0,
    // Docker resolves no names on the default bridge, and its clients expect none there.
    ...(version >= apiVersion("1.44") && { DNSNames: isDefault ? null : orNull(names) }),
  };
}

/** Before 1.45 the container's short id and hostname were among the aliases; since then they are DNSNames alone. */
function aliasesFor(
  { hostname, id }: Container,
  asked: EndpointRequest | undefined,
  isDefault: boolean,
  version: ApiVersion,
): readonly string[] {
  if (asked === undefined) return [];
  const isOld = version < apiVersion("1.45") && !isDefault;
  return isOld ? [...new Set([...asked.aliases, shortId(id), hostname])] : asked.aliases;
}

/** `host` and `none` are shown as networks too; a container in another one's network has none of its own. */
function wantedEndpoints({ spec }: Container): readonly EndpointRequest[] {
  const isPlace = spec.networkMode === "host" || spec.networkMode === "none";
  return isPlace ? [endpointRequest(spec.networkMode), ...spec.endpoints] : spec.endpoints;
}

function ipamAnswer(asked: EndpointRequest | undefined): EndpointSettings["IPAMConfig"] {
  if (asked === undefined) return null;
  const { ipv4, ipv6, linkLocal } = asked;
  if (ipv4 === undefined && ipv6 === undefined && linkLocal.length === 0) return null;
  return {
    ...(ipv4 !== undefined && { IPv4Address: ipv4 }),
    ...(ipv6 !== undefined && { IPv6Address: ipv6 }),
    ...(linkLocal.length > 0 && { LinkLocalIPs: linkLocal }),
  };
}

function orNull(items: readonly string[]): readonly string[] | null {
  return items.length === 0 ? null : items;
}
