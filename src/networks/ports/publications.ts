import { isIPv6 } from "node:net";
import { gatewayEndpoint } from "../endpoints/gateways.ts";
import type { Publication } from "../firewall/ruleset.ts";
import type { Sandbox } from "../records.ts";

/** What the firewall must do for a container's ports: lead them to the endpoint that it answers by, or know that its monitor relays them. */
export function publicationsOf({ ports, endpoints }: Pick<Sandbox, "ports" | "endpoints">): Publication[] {
  const ipv4 = gatewayEndpoint(endpoints, 4)?.ipv4;
  const ipv6 = gatewayEndpoint(endpoints, 6)?.ipv6;
  return ports.flatMap((port) => {
    const containerIp = isIPv6(port.hostIp) ? (ipv6 ?? ipv4) : ipv4;
    return containerIp === undefined ? [] : [{ ...port, containerIp }];
  });
}
