import { addressFrom, type Address } from "../addresses/address.ts";
import { gatewayMode, poolOf } from "../links/bridge-plan.ts";
import type { EndpointRecord } from "../records.ts";

/** The endpoint that a container's default route of that family goes by: of the greatest priority, then by the network's name. */
export function gatewayEndpoint<Record extends Omit<EndpointRecord, "endpointId">>(
  endpoints: readonly Record[],
  family: 4 | 6,
): Record | undefined {
  const [first] = endpoints
    .filter((endpoint) => gatewayOf(endpoint, family) !== undefined)
    .toSorted(
      (one, other) => other.gatewayPriority - one.gatewayPriority || (one.network.name < other.network.name ? -1 : 1),
    );
  return first;
}

/** The address that leads out of the endpoint's network; internal networks have none. */
export function gatewayOf(
  { network, ipv4, ipv6 }: Pick<EndpointRecord, "network" | "ipv4" | "ipv6">,
  family: 4 | 6,
): Address | undefined {
  const own = family === 4 ? ipv4 : ipv6;
  const gateway = poolOf(network, family)?.gateway;
  const leadsOut = own !== undefined && !network.internal && gatewayMode(network, family) !== "isolated";
  return leadsOut && gateway !== undefined ? addressFrom(gateway) : undefined;
}
