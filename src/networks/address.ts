import { Fault } from "#core/fault";

/** An IPv4 network: its first address as an unsigned 32-bit number, and the prefix length (0–32). */
export interface Subnet {
  readonly base: number;
  readonly prefixLength: number;
}

/** The address as an unsigned 32-bit number; undefined when the text is not four decimal numbers without leading zeros. */
export function parseAddress(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1);
  if (parts === undefined || parts.some((part) => Number(part) > 255 || (part.length > 1 && part.startsWith("0")))) {
    return undefined;
  }
  return parts.reduce((value, part) => value * 256 + Number(part), 0);
}

/** Dotted decimal form. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}

/** `10.9.0.1/24`: the address as written and the network it lies in; without a slash a /32. Undefined when it is neither. */
export function parseCidr(text: string): { readonly address: number; readonly subnet: Subnet } | undefined {
  const [head = "", tail = "32", ...rest] = text.split("/");
  const address = parseAddress(head);
  if (address === undefined || rest.length > 0 || !/^\d{1,2}$/.test(tail) || Number(tail) > 32) return undefined;
  const prefixLength = Number(tail);
  return { address, subnet: { base: (address & maskOf(prefixLength)) >>> 0, prefixLength } };
}

/** A network that we wrote ourselves (a record, a constant); anything else is a Fault `internal`. */
export function subnetFrom(text: string): Subnet {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Fault("internal", `${text} is not an IPv4 network`);
  return parsed.subnet;
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.base)}/${subnet.prefixLength}`;
}

/** Whether the two share an address. */
export function overlaps(one: Subnet, other: Subnet): boolean {
  const mask = maskOf(Math.min(one.prefixLength, other.prefixLength));
  return (one.base & mask) === (other.base & mask);
}

/** The last address of the network. */
export function broadcastOf({ base, prefixLength }: Subnet): number {
  return (base | ~maskOf(prefixLength)) >>> 0;
}

/** First and last address that an interface may have; a /31 and a /32 have no network and broadcast address to spare. */
export function hostRange(subnet: Subnet): { readonly first: number; readonly last: number } {
  const spare = subnet.prefixLength < 31 ? 1 : 0;
  return { first: subnet.base + spare, last: broadcastOf(subnet) - spare };
}

/** The MAC address of an endpoint. It follows from the address, so that neighbours' ARP entries stay right when an address is used again. */
export function macOf(address: number): string {
  const octets = [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff);
  return [0x02, 0x42, ...octets].map((octet) => octet.toString(16).padStart(2, "0")).join(":");
}

/** The netmask of a prefix length. */
export function maskOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}
