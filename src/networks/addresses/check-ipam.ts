import { Fault } from "#core/fault";
import type { IpamPool, NetworkDriver, NetworkRequest } from "../networks.ts";
import { unknownPlugin } from "../unknown-plugin.ts";
import { type Subnet, contains, firstOf, formatSubnet, hostRange, lastOf, parseAddress, parseCidr } from "./address.ts";

/** Checks subnets, ranges, gateways and auxiliary addresses, and that they fit. Fault `invalid` with all that is wrong, in Docker's words. */
export function checkIpam(
  { ipam, ipv4, ipv6 }: Pick<NetworkRequest, "ipam" | "ipv4" | "ipv6">,
  driver: NetworkDriver = "bridge",
): void {
  if (!["", "default"].includes(ipam.driver)) {
    throw unknownPlugin(ipam.driver, "Slipway has the IPAM driver default.");
  }
  if (!ipv4 && !ipv6) throw new Fault("invalid", "IPv4 or IPv6 must be enabled");
  const problems = ipam.pools.flatMap(problemsOf);
  if (problems.length > 0) throw new Fault("invalid", `invalid network config:\n${problems.join("\n")}`);
  for (const family of [4, 6] as const) {
    const subnets = ipam.pools.flatMap(({ subnet }) => parseCidr(subnet ?? "")?.subnet ?? []);
    if (subnets.filter((subnet) => subnet.family === family).length > 1) {
      throw new Fault("invalid", `${driver} driver doesn't support multiple IPv${family} subnets`);
    }
  }
}

function problemsOf({ subnet: text, range, gateway, auxiliary }: IpamPool): string[] {
  if (text === undefined) {
    const stray = range ?? gateway ?? Object.values(auxiliary)[0];
    return stray === undefined ? [] : [`invalid subnet : ${stray} needs a subnet`];
  }
  const parsed = text.includes("/") ? parseCidr(text) : undefined;
  if (parsed === undefined) return [`invalid subnet ${text}: invalid CIDR block notation`];
  const { subnet } = parsed;
  const host =
    parsed.address.value === subnet.base ? [] : [`invalid subnet ${text}: it should be ${formatSubnet(subnet)}`];
  return [
    ...host,
    ...tooSmall(subnet, text),
    ...rangeProblems(range, subnet, text),
    ...addressProblems("gateway", gateway, subnet, text),
    ...Object.entries(auxiliary).flatMap(([, address]) => addressProblems("auxiliary address", address, subnet, text)),
  ];
}

function tooSmall(subnet: Subnet, text: string): string[] {
  const { first, last } = hostRange(subnet);
  return last - first < 1n ? [`invalid subnet ${text}: it has no room for a gateway and a container`] : [];
}

function rangeProblems(range: string | undefined, subnet: Subnet, parent: string): string[] {
  if (range === undefined) return [];
  const parsed = range.includes("/") ? parseCidr(range) : undefined;
  if (parsed === undefined) return [`invalid ip-range ${range}: invalid CIDR block notation`];
  if (parsed.subnet.prefixLength < subnet.prefixLength) {
    return [`invalid ip-range ${range}: CIDR block is bigger than its parent subnet ${parent}`];
  }
  const own = parsed.subnet;
  const host =
    parsed.address.value === own.base ? [] : [`invalid ip-range ${range}: it should be ${formatSubnet(own)}`];
  const inside = contains(subnet, firstOf(own)) && contains(subnet, lastOf(own));
  return [...host, ...(inside ? [] : [`invalid ip-range ${range}: parent subnet ${parent} doesn't contain ip-range`])];
}

function addressProblems(what: string, text: string | undefined, subnet: Subnet, parent: string): string[] {
  if (text === undefined) return [];
  const address = parseAddress(text);
  if (address === undefined) return [`invalid ${what} ${text}: invalid address`];
  return contains(subnet, address)
    ? []
    : [`invalid ${what} ${text}: parent subnet ${parent} doesn't contain this address`];
}
