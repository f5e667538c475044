import type { NetworkRequest } from "../networks.ts";
import { networkOf } from "./lab.ts";
import { run } from "./machines.ts";

/** The network beside `openNeighbour`'s link, where the neighbour is the gateway. */
export const lan = { subnet: "198.51.100.0/24", gateway: "198.51.100.2", range: "198.51.100.64/26", auxiliary: {} };
/** Its IPv6. */
export const lan6 = { subnet: "2001:db8::/64", gateway: "2001:db8::2", auxiliary: { host: "2001:db8::1" } };
/** Another one. */
export const next = { subnet: "192.0.2.0/24", gateway: "192.0.2.1", auxiliary: {} };

/** A request for a macvlan network on that link. */
export function macvlan(
  name: string,
  options: Readonly<Record<string, string>> = {},
  more: Partial<NetworkRequest> = {},
): NetworkRequest {
  return networkOf(name, { driver: "macvlan", ipam: subnets(lan), options: { parent: "up0", ...options }, ...more });
}

/** Addresses from these. */
export function subnets(...pools: NetworkRequest["ipam"]["pools"]): NetworkRequest["ipam"] {
  return { driver: "default", options: {}, pools };
}

/** Whether this kernel makes links of that kind; ipvlan and VLANs want a parent, which the answer does not depend on. */
export function kernelMakes(kind: "dummy" | "vlan" | "ipvlan"): boolean {
  try {
    run("sh", "-c", `ip link add name kindprobe0 type ${kind} 2>&1 && ip link delete kindprobe0`);
    return true;
  } catch (error) {
    return !/Unknown device type|not supported/.test(String((error as { stdout?: unknown }).stdout));
  }
}

/** Bridges in the place of links that this kernel cannot make: what becomes of them is the same. */
export function withStandIns(input: string): string {
  return input
    .replaceAll(/^link add name (\S+) type dummy$/gm, (line, name) =>
      kernelMakes("dummy") ? line : `link add name ${name} type bridge`,
    )
    .replaceAll(/^link add link \S+ name (\S+) type vlan id \d+$/gm, (line, name) =>
      kernelMakes("vlan") ? line : `link add name ${name} type bridge`,
    );
}
