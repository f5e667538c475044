import { gatewayMode, poolOf } from "../links/bridge-plan.ts";
import { isHosted } from "../drivers/driver.ts";
import type { EndpointRecord, Sandbox } from "../records.ts";
import type { ContainerNames, HostAddresses } from "../resolver/container-names.ts";
import { gatewayEndpoint, isClosed } from "./gateways.ts";

/** All names that a container answers to in a network: its own, aliases, the short id, its hostname; none for one that nobody is told of. */
export function dnsNamesOf(
  { containerId, aliases }: Pick<EndpointRecord, "containerId" | "aliases">,
  { containerName, hostname }: Pick<Sandbox, "containerName" | "hostname">,
): string[] {
  if (containerName === "") return [];
  const names = [containerName, ...aliases, containerId.slice(0, 12), hostname];
  return [...new Set(names.filter((name) => name !== ""))];
}

/** Whether the container is in that network with an interface of its own; not in `none` and `host`. */
export function isPlaced(endpoint: Pick<EndpointRecord, "interface">): boolean {
  return endpoint.interface !== "";
}

/** Whether others find the container by its names; not in `none` and `host`. */
export function hasNames({ endpoints }: Pick<Sandbox, "endpoints">): boolean {
  return endpoints.some(isPlaced);
}

/** What the resolver must know of a container; undefined for one without names. */
export function namesOf(sandbox: Sandbox): ContainerNames | undefined {
  if (!hasNames(sandbox)) return undefined;
  const endpoints = sandbox.endpoints.filter(isPlaced);
  return {
    id: sandbox.containerId,
    endpoints: endpoints.map((endpoint) => ({
      network: endpoint.network.id,
      networkName: endpoint.network.name,
      names: dnsNamesOf(endpoint, sandbox),
      ...(endpoint.ipv4 !== undefined && { ipv4: endpoint.ipv4 }),
      ...(endpoint.ipv6 !== undefined && { ipv6: endpoint.ipv6 }),
    })),
    links: Object.assign({}, ...endpoints.map(({ links }) => links)) as Record<string, string>,
    host: hostOf(endpoints),
    servers: sandbox.servers,
    external: endpoints.some(({ network }) => !isClosed(network, 4)),
  };
}

/** By the network that leads out, else by the first one: the bridge's own address there. In networks outside the host is nobody. */
function hostOf(all: readonly EndpointRecord[]): HostAddresses {
  const endpoints = all.filter(({ network }) => isHosted(network));
  const gatewayIn = (family: 4 | 6): string | undefined => {
    const endpoint = gatewayEndpoint(endpoints, family) ?? endpoints.find((each) => each[`ipv${family}`] !== undefined);
    const isBare = endpoint === undefined || gatewayMode(endpoint.network, family) === "isolated";
    return isBare ? undefined : poolOf(endpoint.network, family)?.gateway;
  };
  const [ipv4, ipv6] = [gatewayIn(4), gatewayIn(6)];
  return { ...(ipv4 !== undefined && { ipv4 }), ...(ipv6 !== undefined && { ipv6 }) };
}
