import { Fault } from "#core/fault";
import { parseResolvConf } from "#core/resolv-conf";
import { type Family, type Subnet, bitsOf, formatSubnet, lastOf, overlaps, parseCidr, subnetFrom } from "./address.ts";

/** Where networks of a certain size are cut from. */
export interface SubnetSource {
  readonly base: Subnet;
  /** Prefix length of each network. */
  readonly size: number;
}

/** The default bridge's network is taken from here, in this order: the private ranges that Docker uses, in its sizes. */
export const defaultBridgeSources: readonly SubnetSource[] = [
  ...Array.from({ length: 15 }, (_, index) => sourceOf(`172.${17 + index}.0.0/16`, 16)),
  sourceOf("192.168.0.0/16", 20),
];

/**
 * Where other networks are taken from: nine thousand of them. A thousand addresses each are as many as a bridge of the kernel has
 * ports.
 */
export const defaultSources: readonly SubnetSource[] = [
  sourceOf("172.18.0.0/15", 22),
  sourceOf("172.20.0.0/14", 22),
  sourceOf("172.24.0.0/13", 22),
  sourceOf("10.128.0.0/9", 22),
  sourceOf("192.168.0.0/16", 22),
];

/** `10.0.0.0/8` in networks of `/24`. */
export function sourceOf(base: string, size: number): SubnetSource {
  return { base: subnetFrom(base), size };
}

/** A network that is in use on the host, and by what (for messages). */
export interface Occupied {
  readonly subnet: Subnet;
  readonly by: string;
  /** A way by another router, which a smaller network of one's own may well cut into. */
  readonly isRouted?: boolean;
}

/** The first network of the sources that nothing uses. Fault `exhausted` when every one clashes. */
export function chooseSubnet(sources: readonly SubnetSource[], occupied: readonly Occupied[], remedy: string): Subnet {
  const inOrder = stretchesOf(occupied);
  for (const source of sources) {
    const subnet = firstFree(source, inOrder);
    if (subnet !== undefined) return subnet;
  }
  const [first] = sources;
  const clash = first === undefined ? undefined : clashOf(first.base, occupied);
  throw new Fault("exhausted", "all predefined address pools have been fully subnetted", {
    remedy: `${remedy}${clash === undefined || first === undefined ? "" : `; ${formatSubnet(first.base)} for instance clashes with ${clash.by}`}.`,
  });
}

/** What already uses addresses of the network, if anything. */
export function clashOf(subnet: Subnet, occupied: readonly Occupied[]): Occupied | undefined {
  return occupied.find((other) => overlaps(subnet, other.subnet));
}

/**
 * The networks that a host uses: its routes of every table (interface addresses are among them as local routes) except
 * default routes and those of our own links, and its name servers.
 *
 * @param routes - what `ip -json route show table all` prints, parsed
 * @param resolvConf - text of resolv.conf(5)
 * @param isOwn - whether a link of that name is ours
 */
export function occupiedBy(
  routes: readonly unknown[],
  resolvConf: string,
  isOwn: (link: string) => boolean,
): Occupied[] {
  const occupied: Occupied[] = [];
  for (const route of routes) {
    const { dst, dev, gateway } = route as { dst?: unknown; dev?: unknown; gateway?: unknown };
    if (dst === "default") continue;
    // Each network of ours has some of them.
    if (typeof dev === "string" && isOwn(dev)) continue;
    const subnet = typeof dst === "string" ? parseCidr(dst)?.subnet : undefined;
    if (subnet === undefined || isWide(subnet)) continue;
    occupied.push({
      subnet,
      isRouted: gateway !== undefined,
      by: `the route ${formatSubnet(subnet)}${typeof dev === "string" ? ` of ${dev}` : ""}`,
    });
  }
  for (const server of parseResolvConf(resolvConf).servers) {
    const subnet = parseCidr(server)?.subnet;
    if (subnet !== undefined) occupied.push({ subnet, by: `the name server ${server}` });
  }
  return occupied;
}

/** Default routes, also in two halves as VPNs write them, link-local and multicast ones say nothing of who uses what. */
function isWide(subnet: Subnet): boolean {
  return subnet.prefixLength <= 1 || noUse.some((range) => overlaps(range, subnet));
}

const noUse: readonly Subnet[] = ["fe80::/10", "ff00::/8", "224.0.0.0/4"].map(subnetFrom);

/** First and last address of what is in use. */
interface Stretch {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** By their first addresses. */
function stretchesOf(occupied: readonly Occupied[]): Stretch[] {
  return occupied
    .map(({ subnet }) => ({ family: subnet.family, first: subnet.base, last: lastOf(subnet).value }))
    .sort((one, other) => compare(one.first, other.first));
}

/** Walks from one clash to the next, so that its cost is that of the list, whatever the source's size. */
function firstFree({ base, size }: SubnetSource, inOrder: readonly Stretch[]): Subnet | undefined {
  const { family } = base;
  const step = 1n << BigInt(bitsOf(family) - size);
  const end = lastOf(base).value;
  let next = base.base;
  for (const { family: other, first, last } of inOrder) {
    if (other !== family || last < next) continue;
    if (first >= next + step) break;
    next = (last / step + 1n) * step;
    if (next > end) return undefined;
  }
  return next + step - 1n <= end ? { family, base: next, prefixLength: size } : undefined;
}

function compare(one: bigint, other: bigint): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
