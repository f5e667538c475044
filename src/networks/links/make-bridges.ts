import type { NetworkPrograms } from "../programs.ts";
import type { HostLink } from "./host-links.ts";
import { type BridgePlan, bridgeAddressLines, bridgeLines, bridgeSettings } from "./link-commands.ts";

/**
 * Makes the bridges that are not there, and gives each its settings and addresses; harmless for those that have them. Settings come
 * before an IPv6 address, which a host that has IPv6 off for new links would else refuse.
 */
export async function makeBridges(
  programs: NetworkPrograms,
  plans: readonly BridgePlan[],
  links: readonly HostLink[],
): Promise<void> {
  const present = new Map(links.map((link) => [link.name, link]));
  const missing = plans.filter(({ name }) => !present.has(name));
  const { plain = [], dual = [] } = Object.groupBy(plans, ({ ipv6 }) => (ipv6 === undefined ? "plain" : "dual"));
  const early = [...missing.flatMap(bridgeLines), ...plain.flatMap(bridgeAddressLines)];
  if (early.length > 0) await programs.ip(early);
  await programs.setKernel(
    Object.assign({}, ...plans.map((plan) => bridgeSettings(plan, isForeign(plan, present.get(plan.name))))) as Record<
      string,
      string
    >,
  );
  if (dual.length > 0) await programs.ip(dual.flatMap(bridgeAddressLines));
}

/** Whether somebody else made the bridge: it is used, and never removed. */
export function isForeign({ alias }: BridgePlan, link: HostLink | undefined): boolean {
  return link !== undefined && link.alias !== alias;
}
