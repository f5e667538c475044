import { isAlone, isHosted } from "./drivers/driver.ts";
import { routeLines } from "./endpoints/connect.ts";
import { type HostLink, listLinks, ownLinksBeside } from "./links/host-links.ts";
import { netnsLine, removalLine } from "./links/link-commands.ts";
import { endpointsOf, mendBridges } from "./links/mend-bridges.ts";
import { forwardPackets } from "./links/forwarding.ts";
import type { Network } from "./networks.ts";
import type { Wiring } from "./wiring.ts";

/**
 * After a crash: releases what no running container needs, makes bridges, ports and ruleset whole for those that run, and
 * removes links of ours that belong to nobody. It touches nothing that does not carry this instance's names.
 */
export async function reconcile(wiring: Wiring, running: ReadonlyMap<string, number>): Promise<void> {
  const { records, resolver } = wiring;
  for (const { containerId } of records.sandboxes()) {
    if (running.has(containerId)) continue;
    // The ruleset is written anew below, or removed.
    records.removeSandbox(containerId);
    await resolver.forget(containerId);
  }
  await removeLooseInterfaces(wiring, running);
  wiring.bridges.forget();
  const wanted = wantedNetworks(wiring);
  await bringUp(wiring, wanted.filter(isHosted), await removeStrayLinks(wiring, wanted));
  notePorts(wiring);
}

/** What a connect or disconnect that was cut off left in running containers' namespaces. */
async function removeLooseInterfaces(
  { records, programs }: Wiring,
  running: ReadonlyMap<string, number>,
): Promise<void> {
  for (const loose of records.loose()) {
    const pid = running.get(loose.containerId);
    const routes = routeLines(records.sandboxOf(loose.containerId)?.endpoints ?? []);
    if (pid !== undefined) await programs.linksEach([netnsLine(pid), removalLine(loose.interface), ...routes]);
    records.forgetLoose(loose);
  }
}

/** Networks that were made are there, as after a reboot; the default one only when somebody is on it. */
function wantedNetworks({ records }: Wiring): Network[] {
  return records.list().filter(({ id, name, driver }) => !isAlone(driver) && (name !== "bridge" || records.isUsed(id)));
}

/** Answers all links that are left. */
async function removeStrayLinks(
  { records, slots, departures, programs, names, drivers }: Wiring,
  wanted: readonly Network[],
): Promise<HostLink[]> {
  const links = await listLinks(programs);
  const needed = new Set([...endpointsOf(records).map(({ link }) => link), ...slots.readyLinks]);
  const strays = new Set([
    ...links
      .map(({ name }) => name)
      .filter((link) => names.isOwnLink(link) && !needed.has(link) && !departures.has(link)),
    ...ownLinksBeside(new Set(wanted.map((network) => drivers(network.driver).hostLink(network))), links, names),
  ]);
  // The kernel may be about to remove some of them by itself.
  await programs.linksEach([...strays].map(removalLine));
  return links.filter(({ name }) => !strays.has(name));
}

/** All of the bridges at once, however many there are; then what they need beside. */
async function bringUp(wiring: Wiring, wanted: readonly Network[], links: readonly HostLink[]): Promise<void> {
  const { programs, bridges, firewall, watch, forwardCheck, machine, events } = wiring;
  if (wanted.length === 0) {
    await firewall.remove();
    return;
  }
  await mendBridges(
    wiring,
    wanted.map((network) => bridges.of(network)),
    links,
  );
  // The settings are the host's: one network of each kind will do.
  const forwarding = [wanted.find(({ ipv4 }) => ipv4), wanted.find(({ ipv6, internal }) => ipv6 && !internal)];
  for (const network of new Set(forwarding)) {
    if (network !== undefined) await forwardPackets({ programs, machine, events }, network);
  }
  await firewall.ensure();
  watch.start();
  forwardCheck.lookSoon();
}

/** Their monitors hold them all along. */
function notePorts({ records, ports, held }: Wiring): void {
  for (const { containerId, ports: all } of records.sandboxes()) {
    const published = all.filter(({ hostPort }) => hostPort !== 0);
    if (published.length > 0 && !held.has(containerId)) held.set(containerId, ports.holdAgain(published));
  }
}
