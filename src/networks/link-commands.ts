import { type Subnet, broadcastOf, formatAddress, macOf, maskOf } from "./address.ts";

/** The place of one container in a bridge network. */
export interface EndpointPlan {
  /** The host's end of the veth pair. */
  readonly link: string;
  readonly address: number;
  readonly subnet: Subnet;
  readonly gateway: number;
  readonly mtu: number;
}

/** Lines for `ip -batch` on the host: the veth pair, one end in the bridge, the other as `eth0` in the namespace of a process. */
export function hostLines(plan: EndpointPlan, bridge: string, pid: number): string[] {
  const { link, mtu } = plan;
  const peer = `peer name eth0 mtu ${mtu} address ${macOf(plan.address)} netns ${pid}`;
  return [
    `link add name ${link} mtu ${mtu} master ${bridge} type veth ${peer}`,
    // The host has no IPv6 address of its own on a container's link.
    `link set dev ${link} addrgenmode none up`,
    hairpinLine(link),
  ];
}

/** Lines that bring a container's link back to a bridge that was made anew. */
export function rejoinLines(link: string, bridge: string): string[] {
  return [`link set dev ${link} master ${bridge} up`, hairpinLine(link)];
}

/** Where bridges are filtered (bridge-nf-call-iptables), a container reaches a port that it publishes itself only so. */
function hairpinLine(link: string): string {
  return `link set dev ${link} type bridge_slave hairpin on`;
}

/** What `eth0` inside the container's namespace is given; IPv4 addresses in dotted form. */
export interface LinkSettings {
  readonly address: string;
  readonly mask: string;
  readonly broadcast: string;
  readonly gateway: string;
}

/** The settings of a container's end. */
export function linkSettings({ address, subnet, gateway }: EndpointPlan): LinkSettings {
  return {
    address: formatAddress(address),
    mask: formatAddress(maskOf(subnet.prefixLength)),
    broadcast: formatAddress(broadcastOf(subnet)),
    gateway: formatAddress(gateway),
  };
}

/** What a bridge needs. */
export interface BridgePlan {
  readonly name: string;
  readonly mac: string;
  readonly alias: string;
  readonly subnet: Subnet;
  readonly gateway: number;
  readonly mtu: number;
}

/** Lines that make a new bridge; `bridgeAddressLines` come after them. */
export function bridgeLines({ name, mac, alias, mtu }: BridgePlan): string[] {
  return [
    `link add name ${name} address ${mac} type bridge`,
    `link set dev ${name} alias "${alias}"`,
    `link set dev ${name} mtu ${mtu} addrgenmode none`,
  ];
}

/** Lines that give a bridge its address and start it; harmless when it has them already. */
export function bridgeAddressLines({ name, subnet, gateway }: BridgePlan): string[] {
  const broadcast = formatAddress(broadcastOf(subnet));
  return [
    `address replace ${formatAddress(gateway)}/${subnet.prefixLength} broadcast ${broadcast} dev ${name}`,
    `link set dev ${name} up`,
  ];
}

/** Kernel settings of a bridge whose network has IPv4 only; the key form with slashes, as names may have dots. */
export function bridgeSettings(name: string): Readonly<Record<string, string>> {
  return {
    // Lets the host reach published ports through 127.0.0.1; the ruleset keeps containers away from the host's loopback.
    [`net/ipv4/conf/${name}/route_localnet`]: "1",
    // No router advertisement from a container shall configure the host.
    [`net/ipv6/conf/${name}/disable_ipv6`]: "1",
  };
}
