import { linkNames } from "./departures.ts";
import { rejoinLines } from "./link-commands.ts";
import type { InstanceNames } from "./names.ts";
import { type Wiring, bridgeInUse } from "./wiring.ts";

/**
 * After a crash: releases what no running container needs, makes bridge, ports and ruleset whole for those that run, and
 * removes links of ours that belong to nobody. It touches nothing that does not carry this instance's names.
 */
export async function reconcile(wiring: Wiring, names: InstanceNames, running: ReadonlySet<string>): Promise<void> {
  const { records, bridge, firewall } = wiring;
  for (const { containerId } of records.endpoints()) {
    // The ruleset is written anew below, or removed.
    if (!running.has(containerId)) records.removeEndpoint(containerId);
  }
  await removeStrayLinks(wiring, names);
  if (!bridgeInUse(wiring)) {
    await bridge.remove();
    await firewall.remove();
    return;
  }
  bridge.forget();
  await bridge.ensure(async () => await firewall.replace());
  await repairLinks(wiring);
  await holdPorts(wiring);
}

async function removeStrayLinks(
  { records, bridgeSlots, mappedBridgeSlots, departures, programs }: Wiring,
  names: InstanceNames,
): Promise<void> {
  const needed = new Set([
    ...records.endpoints().map(({ place }) => place?.link),
    ...[...bridgeSlots.ready, ...mappedBridgeSlots.ready].map(({ link }) => link),
  ]);
  const strays = [...(await linkNames(programs))].filter(
    (link) => names.isOwnLink(link) && !needed.has(link) && !departures.has(link),
  );
  // The kernel may be about to remove some of them by itself.
  await programs.ipEach(strays.map((link) => `link delete dev ${link}`));
}

/** A bridge that was removed meanwhile has lost its ports. */
async function repairLinks({ records, programs, bridge }: Wiring): Promise<void> {
  const present = await linkNames(programs);
  const links = records
    .endpoints()
    .flatMap(({ place }) => (place !== undefined && present.has(place.link) ? [place.link] : []));
  await programs.ip(links.flatMap((link) => rejoinLines(link, bridge.name)));
}

async function holdPorts({ records, ports, held }: Wiring): Promise<void> {
  for (const { containerId, place } of records.endpoints()) {
    if (place === undefined || place.ports.length === 0 || held.has(containerId)) continue;
    held.set(containerId, await Promise.all(place.ports.map(async (port) => await ports.holdAgain(port))));
  }
}
