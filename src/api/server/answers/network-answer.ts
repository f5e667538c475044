import {
  apiVersion,
  type ApiVersion,
  type NetworkContainer,
  type NetworkInspect,
  type NetworkIpamPool,
} from "#api/wire";
import { rfc3339Nano } from "#core/clock";
import { type EndpointAddress, type IpamPool, isPredefined, type Member, type Network } from "#networks";

/** `GET /networks/{id}` with those who are in the network; without them it is an entry of `GET /networks`. */
export function networkInspect(network: Network, version: ApiVersion, members: readonly Member[] = []): NetworkInspect {
  return {
    Name: network.name,
    Id: network.id,
    Created: rfc3339Nano(network.createdNs),
    Scope: "local",
    Driver: network.driver,
    ...(version >= apiVersion("1.47") && { EnableIPv4: network.ipv4 }),
    EnableIPv6: network.ipv6,
    IPAM: ipamAnswer(network),
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: Object.fromEntries(members.map((member) => [member.containerId, networkContainer(member)])),
    Options: network.options,
    Labels: network.labels,
  };
}

/** As Docker has it, the predefined networks have no options where the others have empty ones. */
function ipamAnswer({ ipam, name }: Network): NetworkInspect["IPAM"] {
  const isPlain = Object.keys(ipam.options).length === 0 && isPredefined(name);
  return {
    Driver: ipam.driver,
    Options: isPlain ? null : ipam.options,
    Config: ipam.pools.length === 0 ? null : ipam.pools.map(poolAnswer),
  };
}

function poolAnswer({ subnet, range, gateway, auxiliary }: IpamPool): NetworkIpamPool {
  return {
    ...(subnet !== undefined && { Subnet: subnet }),
    ...(range !== undefined && { IPRange: range }),
    ...(gateway !== undefined && { Gateway: gateway }),
    ...(Object.keys(auxiliary).length > 0 && { AuxiliaryAddresses: auxiliary }),
  };
}

function networkContainer({ containerName, endpoint }: Member): NetworkContainer {
  return {
    Name: containerName,
    EndpointID: endpoint.id,
    MacAddress: endpoint.macAddress,
    IPv4Address: withPrefix(endpoint.ipv4),
    IPv6Address: withPrefix(endpoint.ipv6),
  };
}

function withPrefix(place: EndpointAddress | undefined): string {
  return place === undefined ? "" : `${place.address}/${place.prefixLength}`;
}
