import { apiVersion, type ApiVersion, type NetworkInspect } from "#api/wire";
import { rfc3339Nano } from "#core/clock";
import type { Network, Networks } from "#networks";

/** `GET /networks/{id}`; without the room's endpoints it is an entry of `GET /networks`. */
export function networkInspect(network: Network, version: ApiVersion, networks?: Networks): NetworkInspect {
  const range = {
    ...(network.subnet !== undefined && { Subnet: network.subnet }),
    ...(network.gateway !== undefined && { Gateway: network.gateway }),
  };
  const endpoints = networks?.endpointsOf(network.id) ?? [];
  return {
    Name: network.name,
    Id: network.id,
    Created: rfc3339Nano(network.createdNs),
    Scope: "local",
    Driver: network.driver,
    ...(version >= apiVersion("1.47") && { EnableIPv4: true }),
    EnableIPv6: false,
    IPAM: { Driver: "default", Options: null, Config: network.subnet === undefined ? null : [range] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      endpoints.map(({ containerId, containerName, endpoint }) => [
        containerId,
        {
          Name: containerName,
          EndpointID: endpoint.id,
          MacAddress: endpoint.macAddress,
          IPv4Address: `${endpoint.ipAddress}/${endpoint.prefixLength}`,
          IPv6Address: "",
        },
      ]),
    ),
    Options: network.options,
    Labels: network.labels,
  };
}
