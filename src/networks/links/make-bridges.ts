import type { NetworkPrograms } from "../programs.ts";
import type { HostLink } from "./host-links.ts";
import { type BridgePlan, bridgeLines, bridgeStartLines } from "./link-commands.ts";

/** Makes the bridges that are not there, and gives each its settings and addresses; harmless for those that have them. */
export async function makeBridges(
  programs: NetworkPrograms,
  plans: readonly BridgePlan[],
  links: readonly HostLink[],
): Promise<void> {
  const present = new Map(links.map((link) => [link.name, link]));
  const missing = plans.filter(({ name }) => !present.has(name));
  const starts = plans.flatMap((plan) => bridgeStartLines(plan, isForeign(plan, present.get(plan.name))));
  await programs.links([...missing.flatMap(bridgeLines), ...starts]);
}

/** Whether somebody else made the bridge: it is used, and never removed. */
export function isForeign({ alias }: BridgePlan, link: HostLink | undefined): boolean {
  return link !== undefined && link.alias !== alias;
}
