import { isIPv6 } from "node:net";
import { publishedEndpoint } from "../endpoints/gateways.ts";
import type { Publication } from "../firewall/ruleset.ts";
import type { PublishedPort } from "../networks.ts";
import type { Sandbox } from "../records.ts";

/** The container's ports that are reached by the host at this time: none while its ways out are other networks' business. */
export function publishedNow({ ports, endpoints }: Pick<Sandbox, "ports" | "endpoints">): readonly PublishedPort[] {
  const way = publishedEndpoint(endpoints, 4) ?? publishedEndpoint(endpoints, 6);
  return way === undefined ? [] : ports;
}

/** What the firewall must do for a container's ports: lead them to the endpoint that it answers by, or know that its monitor relays them. */
export function publicationsOf({ ports, endpoints }: Pick<Sandbox, "ports" | "endpoints">): Publication[] {
  const ipv4 = publishedEndpoint(endpoints, 4)?.ipv4;
  const ipv6 = publishedEndpoint(endpoints, 6)?.ipv6;
  return ports.flatMap((port) => {
    const containerIp = isIPv6(port.hostIp) ? (ipv6 ?? ipv4) : ipv4;
    return containerIp === undefined ? [] : [{ ...port, containerIp }];
  });
}
