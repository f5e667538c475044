import { gatewayMode } from "../links/bridge-plan.ts";
import type { EndpointRecord, Sandbox } from "../records.ts";
import type { ContainerNames } from "../resolver/container-names.ts";

/** All names that a container answers to in a network: its own, aliases, the short id, its hostname. */
export function dnsNamesOf(
  { containerId, aliases }: Pick<EndpointRecord, "containerId" | "aliases">,
  { containerName, hostname }: Pick<Sandbox, "containerName" | "hostname">,
): string[] {
  const names = [containerName, ...aliases, containerId.slice(0, 12), hostname];
  return [...new Set(names.filter((name) => name !== ""))];
}

/** What the resolver must know of a container; undefined for one without names (`none`, `host`). */
export function namesOf(sandbox: Sandbox): ContainerNames | undefined {
  const endpoints = sandbox.endpoints.filter(({ link }) => link !== "");
  if (endpoints.length === 0) return undefined;
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
    servers: sandbox.servers,
    external: endpoints.some(({ network }) => !network.internal && gatewayMode(network, 4) !== "isolated"),
  };
}
