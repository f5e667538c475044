import { type Address, type Subnet, formatAddress, lastOf } from "../addresses/address.ts";
import type { Way } from "../drivers/driver.ts";

/** A subnet with the address that its gateway has there; undefined where the network has none. */
export interface Place {
  readonly subnet: Subnet;
  readonly gateway: Address | undefined;
}

/** The place of one container in a network. */
export interface EndpointPlan {
  /** The host's end of the veth pair; empty where there is none. */
  readonly link: string;
  /** The container's end. */
  readonly interface: string;
  /** Empty: it is the kernel's to choose. */
  readonly macAddress: string;
  readonly ipv4?: Address;
  readonly ipv6?: Address;
  readonly linkLocal: readonly Address[];
}

/** What a bridge needs. */
export interface BridgePlan {
  readonly name: string;
  readonly mac: string;
  readonly alias: string;
  readonly mtu: number;
  readonly ipv4?: Place;
  readonly ipv6?: Place;
  /** Its containers do not talk to each other. */
  readonly separates: boolean;
}

/** Lines for `changeLinks` on the host: the veth pair, one end in the bridge, the other in the namespace of a process. */
export function hostLines(plan: EndpointPlan, bridge: BridgePlan, pid: number): string[] {
  const { link, macAddress } = plan;
  const peer = `peer name ${plan.interface} mtu ${bridge.mtu} address ${macAddress} netns ${pid}`;
  return [
    `link add name ${link} mtu ${bridge.mtu} master ${bridge.name} type veth ${peer}`,
    // The host has no IPv6 address of its own on a container's link.
    `link set dev ${link} addrgenmode none up`,
    portLine(link, bridge),
  ];
}

/** The line that removes a link, and with a veth pair its other end. */
export function removalLine(link: string): string {
  return `link delete dev ${link}`;
}

/** Lines that bring a container's link back to a bridge that was made anew. */
export function rejoinLines(link: string, bridge: BridgePlan): string[] {
  return [`link set dev ${link} master ${bridge.name} up`, portLine(link, bridge)];
}

/** Where bridges are filtered (bridge-nf-call-iptables), a container reaches a port that it publishes itself only by a hairpin. */
function portLine(link: string, { separates }: BridgePlan): string {
  return `link set dev ${link} type bridge_slave hairpin on${separates ? " isolated on" : ""}`;
}

/** Kernel settings of an interface inside, before it is started. */
export function insideSettings(
  { interface: name, ipv6, linkLocal }: EndpointPlan,
  hearsRouters = false,
): Readonly<Record<string, string>> {
  const key = (setting: string): string => `net/ipv6/conf/${name}/${setting}`;
  if (ipv6 === undefined && !linkLocal.some(({ family }) => family === 6)) return { [key("disable_ipv6")]: "1" };
  return {
    [key("disable_ipv6")]: "0",
    [key("accept_dad")]: "0",
    // A neighbour's router advertisement would configure it.
    ...(!hearsRouters && { [key("accept_ra")]: "0", [key("autoconf")]: "0" }),
  };
}

/** The line that leads all lines behind it to the network namespace of a process. */
export function netnsLine(pid: number): string {
  return `netns /proc/${pid}/ns/net`;
}

/** Lines that set kernel settings of the network; those that this kernel does not know (no IPv6) are passed over. */
export function settingLines(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).map(([key, value]) => `sysctl ${key}=${value}`);
}

/** The line that leads everything by a gateway, or by the interface itself. */
export function routeLine({ family, gateway }: Way, link: string): string {
  if (gateway === undefined) return `route replace ${family === 4 ? "0.0.0.0/0" : "::/0"} dev ${link}`;
  return `route replace default via ${formatAddress(gateway)} dev ${link}`;
}

/** Lines inside: addresses, and the interface started. Default routes are `routeLine`. */
export function insideLines(plan: EndpointPlan, bridge: BridgePlan): string[] {
  return [...addressLines(plan, bridge), `link set dev ${plan.interface} up`];
}

/** The lines for its addresses alone; with `replace` they may be tried again. */
export function addressLines(plan: EndpointPlan, places: Places, verb: "add" | "replace" = "add"): string[] {
  const { ipv4, ipv6, linkLocal } = plan;
  return [
    ...(ipv4 === undefined || places.ipv4 === undefined ? [] : [addressText(ipv4, places.ipv4)]),
    ...(ipv6 === undefined || places.ipv6 === undefined ? [] : [`${addressText(ipv6, places.ipv6)} nodad`]),
    ...linkLocal.map((address) => `${formatAddress(address)}/${address.family === 4 ? 16 : 64}`),
  ].map((address) => `address ${verb} ${address} dev ${plan.interface}`);
}

/** Where a network's addresses lie. */
interface Places {
  readonly ipv4?: Pick<Place, "subnet">;
  readonly ipv6?: Pick<Place, "subnet">;
}

function addressText(address: Address, { subnet }: Pick<Place, "subnet">): string {
  const broadcast = address.family === 4 ? ` broadcast ${formatAddress(lastOf(subnet))}` : "";
  return `${formatAddress(address)}/${subnet.prefixLength}${broadcast}`;
}

/** Lines that make a new bridge; `bridgeStartLines` come after them. */
export function bridgeLines({ name, mac, alias, mtu, ipv6 }: BridgePlan): string[] {
  return [
    `link add name ${name} address ${mac} type bridge`,
    `link set dev ${name} alias "${alias}"`,
    `link set dev ${name} mtu ${mtu}${ipv6 === undefined ? " addrgenmode none" : ""}`,
  ];
}

/**
 * Lines that give a bridge its settings and addresses, and start it; harmless when it has them already. Settings come
 * before an IPv6 address, which a host that has IPv6 off for new links would else refuse.
 */
export function bridgeStartLines(plan: BridgePlan, isForeign = false): string[] {
  const { name, ipv4, ipv6 } = plan;
  const line = (place: Place | undefined, more: string): string[] =>
    place?.gateway === undefined
      ? []
      : [`address replace ${formatAddress(place.gateway)}/${place.subnet.prefixLength}${more} dev ${name}`];
  return [
    ...settingLines(bridgeSettings(plan, isForeign)),
    ...line(ipv4, ipv4 === undefined ? "" : ` broadcast ${formatAddress(lastOf(ipv4.subnet))}`),
    ...line(ipv6, "").map((text) => `${text} nodad`),
    `link set dev ${name} up`,
  ];
}

/** The addresses that a bridge has on the host, with their prefix lengths. */
export function placesOf({ ipv4, ipv6 }: BridgePlan): string[] {
  return [ipv4, ipv6].flatMap((place) =>
    place?.gateway === undefined ? [] : [`${formatAddress(place.gateway)}/${place.subnet.prefixLength}`],
  );
}

/**
 * Kernel settings of a bridge; the key form with slashes, as names may have dots. How the host itself uses IPv6 on a bridge that
 * somebody else made stays as it is.
 */
function bridgeSettings({ name, ipv6 }: BridgePlan, isForeign = false): Readonly<Record<string, string>> {
  if (isForeign) return { [`net/ipv4/conf/${name}/route_localnet`]: "1" };
  return {
    // Lets the host reach published ports through 127.0.0.1; the ruleset keeps containers away from the host's loopback.
    [`net/ipv4/conf/${name}/route_localnet`]: "1",
    // No router advertisement from a container shall configure the host.
    ...(ipv6 === undefined
      ? { [`net/ipv6/conf/${name}/disable_ipv6`]: "1" }
      : {
          [`net/ipv6/conf/${name}/disable_ipv6`]: "0",
          // Nobody has our addresses. While the kernel made sure of that for the link-local one, containers were not found.
          [`net/ipv6/conf/${name}/accept_dad`]: "0",
          [`net/ipv6/conf/${name}/accept_ra`]: "0",
          [`net/ipv6/conf/${name}/autoconf`]: "0",
        }),
  };
}
