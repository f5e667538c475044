import { type Address, addressFrom } from "../addresses/address.ts";
import { type Way, isHosted } from "../drivers/driver.ts";
import { parentPlanOf } from "../drivers/parent-plan.ts";
import { gatewayMode, poolOf } from "../links/bridge-plan.ts";
import type { Network } from "../networks.ts";
import type { EndpointRecord } from "../records.ts";

/** The endpoint that a container's default route of that family goes by: of the greatest priority, then by the network's name. */
export function gatewayEndpoint<Record extends Omit<EndpointRecord, "endpointId">>(
  endpoints: readonly Record[],
  family: 4 | 6,
): Record | undefined {
  const [first] = endpoints
    .filter((endpoint) => wayOut(endpoint, family) !== undefined)
    .toSorted(
      (one, other) => other.gatewayPriority - one.gatewayPriority || (one.network.name < other.network.name ? -1 : 1),
    );
  return first;
}

/** The endpoint that answers at the host's published ports: the one of the default route, where that goes by this host. */
export function publishedEndpoint<Record extends Omit<EndpointRecord, "endpointId">>(
  endpoints: readonly Record[],
  family: 4 | 6,
): Record | undefined {
  const way = gatewayEndpoint(endpoints, family);
  return way !== undefined && isHosted(way.network) ? way : undefined;
}

/** Whether nothing leads out of the network. */
export function isClosed(network: Network, family: 4 | 6): boolean {
  if (!isHosted(network)) return parentPlanOf(network).isClosed;
  return network.internal || gatewayMode(network, family) === "isolated";
}

/** What leads out of the endpoint's network; undefined where nothing does, as in internal ones. */
export function wayOut(
  { network, ipv4, ipv6 }: Pick<EndpointRecord, "network" | "ipv4" | "ipv6">,
  family: 4 | 6,
): Way | undefined {
  const own = family === 4 ? ipv4 : ipv6;
  if (own === undefined || isClosed(network, family)) return undefined;
  if (!isHosted(network) && parentPlanOf(network).routesByDevice) return { family };
  const gateway = gatewaysOf(network)[family];
  return gateway === undefined ? undefined : { family, gateway };
}

/** Each network's are read once: they are asked for with every change of a container's networks. */
function gatewaysOf(network: Network): Gateways {
  const known = gatewaysByNetwork.get(network);
  if (known !== undefined) return known;
  const of = (family: 4 | 6): Address | undefined => {
    const gateway = poolOf(network, family)?.gateway;
    return gateway === undefined ? undefined : addressFrom(gateway);
  };
  const gateways = { 4: of(4), 6: of(6) };
  gatewaysByNetwork.set(network, gateways);
  return gateways;
}

type Gateways = Readonly<Record<4 | 6, Address | undefined>>;
const gatewaysByNetwork = new WeakMap<Network, Gateways>();
