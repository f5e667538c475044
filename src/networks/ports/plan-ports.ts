import { isIPv6 } from "node:net";
import { bridgeOption, gatewayMode } from "../links/bridge-plan.ts";
import type { PortRequest, PublishedPort } from "../networks.ts";
import type { EndpointRecord } from "../records.ts";
import type { Reach } from "./port-holds.ts";

interface Families {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

/** By which endpoints a container is reached. */
export interface Ways {
  readonly ipv4: EndpointRecord | undefined;
  readonly ipv6: EndpointRecord | undefined;
}

/** What published ports need. */
export interface PortPlan {
  /** Ports of the host that lead to the container, and how it is reached by them. */
  readonly held: readonly PortRequest[];
  readonly reach: Reach;
  /** In routed networks nothing but the firewall's leave: the host's address and port are of no account there. */
  readonly routed: readonly PublishedPort[];
}

/** Tells ports that take one of the host's from those that are reached by the container's own address. */
export function planPorts(
  requests: readonly PortRequest[],
  ways: Ways,
  machine: { readonly ipv6Loopback: boolean },
): PortPlan {
  const routes = { ipv4: isRouted(ways.ipv4, 4), ipv6: isRouted(ways.ipv6, 6) };
  const families = {
    ipv4: ways.ipv4 !== undefined && !routes.ipv4,
    ipv6: ways.ipv6 !== undefined && !routes.ipv6,
  };
  const binding = (ways.ipv4 ?? ways.ipv6)?.network.options[bridgeOption.hostBinding] ?? "0.0.0.0";
  const bound = binding === "0.0.0.0" || routes.ipv4 ? "" : binding;
  return {
    held: requests
      .filter(({ hostIp }) => !isOnlyRouted(hostIp, routes, families))
      .map((request) => (request.hostIp === "" ? withHostIp(request, bound) : request)),
    reach: {
      ipv4: families.ipv4 ? ways.ipv4?.ipv4 : undefined,
      ipv6: families.ipv6 ? ways.ipv6?.ipv6 : undefined,
      hostHasIpv6: machine.ipv6Loopback && !routes.ipv6,
    },
    routed: unique(requests.flatMap((request) => routedPorts(request, routes))),
  };
}

function withHostIp(request: PortRequest, hostIp: string): PortRequest {
  return { ...request, hostIp };
}

function isRouted(way: EndpointRecord | undefined, family: 4 | 6): boolean {
  return way !== undefined && gatewayMode(way.network, family) === "routed";
}

function isOnlyRouted(hostIp: string, routes: Families, families: Families): boolean {
  if (hostIp !== "") return isIPv6(hostIp) ? routes.ipv6 : routes.ipv4;
  return (routes.ipv4 || routes.ipv6) && !families.ipv4 && !families.ipv6;
}

function routedPorts({ protocol, containerPort, hostIp }: PortRequest, routes: Families): PublishedPort[] {
  const all = [
    ...(routes.ipv4 && !isIPv6(hostIp) ? ["0.0.0.0"] : []),
    ...(routes.ipv6 && (hostIp === "" || isIPv6(hostIp)) ? ["::"] : []),
  ];
  return all.map((address) => ({ protocol, containerPort, hostIp: address, hostPort: 0 }));
}

function unique(ports: readonly PublishedPort[]): PublishedPort[] {
  return [...new Map(ports.map((port) => [JSON.stringify(port), port])).values()];
}
