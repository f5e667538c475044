import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { Fault } from "#core/fault";

/** An IP address as an unsigned number of 32 or 128 bits. */
export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** A network: its first address and the prefix length (0–32 or 0–128). */
export interface Subnet {
  readonly family: Family;
  readonly base: bigint;
  readonly prefixLength: number;
}

export type Family = 4 | 6;

/** Undefined when the text is no address; zones (`fe80::1%eth0`) are none. */
export function parseAddress(text: string): Address | undefined {
  const family = isIP(text);
  if ((family !== 4 && family !== 6) || text.includes("%")) return undefined;
  const hex = ipaddr
    .parse(text)
    .toByteArray()
    .map((octet) => octet.toString(16).padStart(2, "0"))
    .join("");
  return { family, value: BigInt(`0x${hex}`) };
}

/** Dotted decimal, or the canonical form of RFC 5952. */
export function formatAddress({ family, value }: Address): string {
  return ipaddr.fromByteArray(octetsOf(value, family === 4 ? 4 : 16)).toString();
}

/** `10.9.0.1/24`: the address as written and the network it lies in; without a slash a network of one. Undefined when it is neither. */
export function parseCidr(text: string): { readonly address: Address; readonly subnet: Subnet } | undefined {
  const [head = "", tail, ...rest] = text.split("/");
  const address = parseAddress(head);
  if (address === undefined || rest.length > 0) return undefined;
  const bits = bitsOf(address.family);
  if (tail !== undefined && (!/^\d{1,3}$/.test(tail) || Number(tail) > bits)) return undefined;
  return { address, subnet: subnetAround(address, tail === undefined ? bits : Number(tail)) };
}

/** The network of that size that the address lies in. */
export function subnetAround({ family, value }: Address, prefixLength: number): Subnet {
  const spare = BigInt(bitsOf(family) - prefixLength);
  return { family, base: (value >> spare) << spare, prefixLength };
}

/** A network that we wrote ourselves (a record, a constant); anything else is a Fault `internal`. */
export function subnetFrom(text: string): Subnet {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Fault("internal", `${text} is not a network`);
  return parsed.subnet;
}

/** An address that we wrote ourselves; anything else is a Fault `internal`. */
export function addressFrom(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Fault("internal", `${text} is not an address`);
  return parsed;
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(firstOf(subnet))}/${subnet.prefixLength}`;
}

/** Whether the two share an address. */
export function overlaps(one: Subnet, other: Subnet): boolean {
  if (one.family !== other.family) return false;
  const spare = BigInt(bitsOf(one.family) - Math.min(one.prefixLength, other.prefixLength));
  return one.base >> spare === other.base >> spare;
}

export function contains(subnet: Subnet, { family, value }: Address): boolean {
  return family === subnet.family && value >= subnet.base && value <= lastOf(subnet).value;
}

export function firstOf({ family, base }: Subnet): Address {
  return { family, value: base };
}

/** The last address of the network; with IPv4 its broadcast address. */
export function lastOf({ family, base, prefixLength }: Subnet): Address {
  return { family, value: base | ((1n << BigInt(bitsOf(family) - prefixLength)) - 1n) };
}

/** First and last address that an interface may have: networks of one or two addresses have none to spare; IPv6 has no broadcast. */
export function hostRange(subnet: Subnet): { readonly first: bigint; readonly last: bigint } {
  const { family, base, prefixLength } = subnet;
  const spare = prefixLength < bitsOf(family) - 1 ? 1n : 0n;
  return { first: base + spare, last: lastOf(subnet).value - (family === 4 ? spare : 0n) };
}

/** The MAC address of an endpoint. It follows from the IPv4 address, so that neighbours' ARP entries stay right when an address is used again. */
export function macOf({ value }: Address): string {
  return formatMac([0x02, 0x42, ...octetsOf(value & 0xffff_ffffn, 4)]);
}

/** Six octets, as the kernel writes them. */
export function formatMac(octets: Iterable<number>): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join(":");
}

/** The first address that an interface may have, which is the gateway's unless somebody says otherwise. */
export function firstHostOf(subnet: Subnet): Address {
  return { family: subnet.family, value: hostRange(subnet).first };
}

export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128;
}

function octetsOf(value: bigint, count: number): number[] {
  return Array.from({ length: count }, (_none, index) => Number((value >> BigInt(8 * (count - 1 - index))) & 0xffn));
}
