import { isIPv4, isIPv6, SocketAddress } from "node:net";

const ipv4Domain = ".in-addr.arpa";
const ipv6Domain = ".ip6.arpa";

/** The address that a name for reverse look-ups (lower case, no dot at its end) asks for, in canonical form; undefined when it is no such name. */
export function addressOfReverseName(name: string): string | undefined {
  if (name.endsWith(ipv4Domain)) {
    const address = name.slice(0, -ipv4Domain.length).split(".").toReversed().join(".");
    return isIPv4(address) ? address : undefined;
  }
  if (!name.endsWith(ipv6Domain)) return undefined;
  const nibbles = name.slice(0, -ipv6Domain.length);
  if (!/^[0-9a-f](\.[0-9a-f]){31}$/.test(nibbles)) return undefined;
  const digits = nibbles.split(".").toReversed().join("");
  return canonicalAddress(digits.replaceAll(/(.{4})(?=.)/g, "$1:"));
}

/** One spelling for each address: IPv6 has many. */
export function canonicalAddress(address: string): string {
  return isIPv6(address) ? new SocketAddress({ address, family: "ipv6" }).address : address;
}
