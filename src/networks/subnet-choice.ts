import { Fault } from "#core/fault";
import { type Subnet, formatSubnet, overlaps, parseCidr, subnetFrom } from "./address.ts";

/** Where the default bridge's network is taken from, in this order: the private ranges that Docker uses, in its sizes. */
export const defaultSubnets: readonly string[] = [
  ...Array.from({ length: 15 }, (_, index) => `172.${17 + index}.0.0/16`),
  ...Array.from({ length: 16 }, (_, index) => `192.168.${index * 16}.0/20`),
];

/** A network that is in use on the host, and by what (for messages). */
export interface Occupied {
  readonly subnet: Subnet;
  readonly by: string;
}

/** The first of the candidates that nothing on the host uses. Fault `exhausted` when every one clashes. */
export function chooseSubnet(candidates: readonly string[], occupied: readonly Occupied[]): Subnet {
  for (const candidate of candidates) {
    const subnet = subnetFrom(candidate);
    if (clashOf(subnet, occupied) === undefined) return subnet;
  }
  const first = candidates[0] === undefined ? undefined : clashOf(subnetFrom(candidates[0]), occupied);
  throw new Fault("exhausted", "all predefined address pools have been fully subnetted", {
    remedy: `Choose a free network with --bip${first === undefined ? "" : `; ${candidates[0]} for instance clashes with ${first.by}`}.`,
  });
}

/** What on the host already uses addresses of the network, if anything. */
export function clashOf(subnet: Subnet, occupied: readonly Occupied[]): Occupied | undefined {
  return occupied.find((other) => overlaps(subnet, other.subnet));
}

/**
 * The networks that a host uses: its routes of every table (interface addresses are among them as local routes) except
 * the default route and those of our own bridge, and its name servers.
 *
 * @param routes - what `ip -json -4 route show table all` prints, parsed
 * @param resolvConf - text of resolv.conf(5)
 */
export function occupiedBy(routes: readonly unknown[], resolvConf: string, ownBridge: string): Occupied[] {
  const occupied: Occupied[] = [];
  for (const route of routes) {
    const { dst, dev } = route as { dst?: unknown; dev?: unknown };
    const subnet = typeof dst === "string" ? parseCidr(dst)?.subnet : undefined;
    if (subnet === undefined || subnet.prefixLength === 0 || dev === ownBridge) continue;
    occupied.push({ subnet, by: `the route ${formatSubnet(subnet)}${typeof dev === "string" ? ` of ${dev}` : ""}` });
  }
  for (const [, server = ""] of resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)) {
    const subnet = parseCidr(server)?.subnet;
    if (subnet !== undefined) occupied.push({ subnet, by: `the name server ${server}` });
  }
  return occupied;
}
