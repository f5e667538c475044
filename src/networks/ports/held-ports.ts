import { isIPv6 } from "node:net";
import type { HeldPort } from "#host";
import { publishedEndpoint } from "../endpoints/gateways.ts";
import type { PublishedPort } from "../networks.ts";
import type { Sandbox } from "../records.ts";

/**
 * What the container's monitor must hold, and what of it it must relay because the firewall cannot lead it: to ::1, which the
 * kernel lets nobody lead elsewhere, and by IPv6 to a container without it.
 */
export function heldPortsOf({ ports, endpoints }: Pick<Sandbox, "ports" | "endpoints">): HeldPort[] {
  if (ports.length === 0) return [];
  const ipv4 = publishedEndpoint(endpoints, 4)?.ipv4;
  const ipv6 = publishedEndpoint(endpoints, 6)?.ipv6;
  const heldAs = ({ protocol, hostIp, hostPort, containerPort }: PublishedPort): HeldPort => {
    const held = { protocol, hostIp, hostPort };
    const isLed = !isIPv6(hostIp) || (ipv6 !== undefined && hostIp !== "::" && hostIp !== "::1");
    const ip = isLed || protocol === "sctp" ? undefined : (ipv6 ?? ipv4);
    return ip === undefined ? held : { ...held, target: { ip, port: containerPort } };
  };
  return ports.filter(({ hostPort }) => hostPort !== 0).map(heldAs);
}
