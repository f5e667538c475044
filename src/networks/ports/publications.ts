import { isIPv6 } from "node:net";
import { publishedEndpoint } from "../endpoints/gateways.ts";
import type { Publication } from "../firewall/ruleset.ts";
import { gatewayMode } from "../links/bridge-plan.ts";
import type { PublishedPort } from "../networks.ts";
import type { Sandbox } from "../records.ts";

type Ported = Pick<Sandbox, "ports" | "endpoints">;

/** What the firewall must do for a container's ports: lead them to the endpoint that it answers by, or know that its monitor relays them. */
export function publicationsOf(sandbox: Ported): Publication[] {
  return sandbox.ports.flatMap((port) => {
    const containerIp = targetOf(sandbox, port);
    const { exposed = false, ...rest } = port;
    return containerIp === undefined ? [] : [{ ...rest, containerIp, judged: !exposed }];
  });
}

/** Of a container's ports, those by which it is reached in the networks that it is in now. */
export function effectivePorts(sandbox: Ported): PublishedPort[] {
  return sandbox.ports.filter((port) => targetOf(sandbox, port) !== undefined);
}

function targetOf({ endpoints }: Ported, { hostIp, hostPort }: PublishedPort): string | undefined {
  const family = isIPv6(hostIp) ? 6 : 4;
  const way = publishedEndpoint(endpoints, family);
  const own = family === 6 ? way?.ipv6 : way?.ipv4;
  // Without a port of the host it is reached by its own address, where the network allows that.
  if (hostPort === 0) return way !== undefined && gatewayMode(way.network, family) === "routed" ? own : undefined;
  return own ?? (family === 6 ? publishedEndpoint(endpoints, 4)?.ipv4 : undefined);
}
