import type { InstanceNames } from "../names.ts";
import type { NetworkPrograms } from "../programs.ts";

/** A link of the host's namespace. */
export interface HostLink {
  readonly name: string;
  /** Empty where it has none. */
  readonly alias: string;
  /** The bridge that it is in; empty where it is in none. */
  readonly master: string;
}

interface Row {
  readonly ifname: string;
  readonly ifalias?: string;
  readonly master?: string;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
}

/** All of them, as they are at this moment. */
export async function listLinks(programs: NetworkPrograms): Promise<HostLink[]> {
  return ((await programs.ipList("link", "show")) as Row[]).map(hostLinkOf);
}

/** The one of that name, and what kind of link it is; undefined where there is none. */
export async function findLink(
  programs: NetworkPrograms,
  name: string,
): Promise<(HostLink & { readonly kind: string }) | undefined> {
  const [row] = (await programs.ipList("-details", "link", "show", "dev", name)) as Row[];
  return row === undefined ? undefined : { ...hostLinkOf(row), kind: row.linkinfo?.info_kind ?? "" };
}

/** Each link's addresses, with their prefix lengths: `172.17.0.1/16`. */
export async function listAddresses(programs: NetworkPrograms): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = (await programs.ipList("address", "show")) as Row[];
  return new Map(rows.map((row) => [row.ifname, addressesIn(row)]));
}

/** The same of one link; none where there is no such link. */
export async function addressesOf(programs: NetworkPrograms, name: string): Promise<readonly string[]> {
  return ((await programs.ipList("address", "show", "dev", name)) as Row[]).flatMap(addressesIn);
}

function addressesIn({ addr_info: addresses = [] }: Row): string[] {
  return addresses.map(({ local = "", prefixlen = 0 }) => `${local}/${prefixlen}`);
}

/** Bridges of ours and parents that we made, but for those that are to stay. */
export function ownLinksBeside(keep: ReadonlySet<string>, links: readonly HostLink[], names: InstanceNames): string[] {
  return links.filter(({ name, alias }) => names.isOwnAlias(alias) && !keep.has(name)).map(({ name }) => name);
}

function hostLinkOf({ ifname: name, ifalias: alias = "", master = "" }: Row): HostLink {
  return { name, alias, master };
}
