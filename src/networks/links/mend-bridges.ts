import { isHosted } from "../drivers/driver.ts";
import type { EndpointRecord, NetworkRecords } from "../records.ts";
import type { WarmSlots } from "../slots/warm-slots.ts";
import type { NetworkPrograms } from "../programs.ts";
import type { Bridge } from "./bridge.ts";
import type { Bridges } from "./bridges.ts";
import type { HostLink } from "./host-links.ts";
import { placesOf, rejoinLines } from "./link-commands.ts";
import { isForeign, makeBridges } from "./make-bridges.ts";

/** What mending needs. */
export interface MendingParts {
  readonly records: NetworkRecords;
  readonly programs: NetworkPrograms;
  readonly bridges: Bridges;
  readonly slots: Pick<WarmSlots, "readyLinks">;
}

/** Makes the bridges whole, all at once, and puts the links back into them that had lost them. Who needs one meanwhile waits. */
export async function mendBridges(
  parts: MendingParts,
  bridges: readonly Bridge[],
  links: readonly HostLink[],
): Promise<void> {
  const plans = bridges.map(({ plan }) => plan);
  const lines = strays(parts, links)
    .filter(({ bridge }) => bridges.includes(bridge))
    .flatMap(({ link, bridge }) => rejoinLines(link, bridge.plan));
  const making = makeBridges(parts.programs, plans, links);
  const byName = new Map(links.map((link) => [link.name, link]));
  for (const bridge of bridges) bridge.madeBy(making, isForeign(bridge.plan, byName.get(bridge.name)));
  await making;
  // Containers may end meanwhile, and their links with them.
  await parts.programs.linksEach(lines);
}

/** The bridges that are to be on the host and are not, or without their addresses, or without links that belong to them. */
export function brokenBridges(
  parts: MendingParts,
  links: readonly HostLink[],
  addresses: ReadonlyMap<string, readonly string[]>,
): Bridge[] {
  const isWhole = ({ name, plan }: Bridge): boolean => {
    const own = addresses.get(name);
    return own !== undefined && placesOf(plan).every((place) => own.includes(place));
  };
  const bereft = new Set(strays(parts, links).map(({ bridge }) => bridge));
  return parts.bridges.made.filter((bridge) => bereft.has(bridge) || !isWhole(bridge));
}

/** Links on the host of containers, and of slots that wait for one, that are not in their bridges. */
function strays(
  { records, bridges, slots }: MendingParts,
  links: readonly HostLink[],
): { readonly link: string; readonly bridge: Bridge }[] {
  const masters = new Map(links.map(({ name, master }) => [name, master]));
  const belonging = [
    ...endpointsOf(records).map(({ link, network }) => ({ link, bridge: bridges.of(network) })),
    ...slots.readyLinks.map((link) => ({ link, bridge: bridges.default })),
  ];
  return belonging.filter(({ link, bridge }) => masters.has(link) && masters.get(link) !== bridge.name);
}

/** The places on bridges of all containers. */
export function endpointsOf(records: NetworkRecords): EndpointRecord[] {
  return records.sandboxes().flatMap(({ endpoints }) => endpoints.filter(({ network }) => isHosted(network)));
}
