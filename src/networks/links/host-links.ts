import type { InstanceNames } from "../names.ts";
import type { NetworkPrograms } from "../programs.ts";

/** A link of the host's namespace. */
export interface HostLink {
  readonly name: string;
  /** Empty where it has none. */
  readonly alias: string;
}

/** All of them, as they are at this moment. */
export async function listLinks(programs: NetworkPrograms): Promise<HostLink[]> {
  const rows = (await programs.ipList("link", "show")) as { readonly ifname: string; readonly ifalias?: string }[];
  return rows.map(({ ifname: name, ifalias: alias = "" }) => ({ name, alias }));
}

/** Bridges of ours and parents that we made, but for those that are to stay. */
export function ownLinksBeside(keep: ReadonlySet<string>, links: readonly HostLink[], names: InstanceNames): string[] {
  return links.filter(({ name, alias }) => names.isOwnAlias(alias) && !keep.has(name)).map(({ name }) => name);
}
