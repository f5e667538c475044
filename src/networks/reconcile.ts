import { bridgeNameOf } from "./links/bridge-plan.ts";
import { bridgeAddressLines, bridgeLines, bridgeSettings, rejoinLines, removalLine } from "./links/link-commands.ts";
import { bridgesBeside, listLinks } from "./links/host-links.ts";
import { forwardPackets } from "./links/forwarding.ts";
import type { Network } from "./networks.ts";
import type { EndpointRecord } from "./records.ts";
import type { Wiring } from "./wiring.ts";

/**
 * After a crash: releases what no running container needs, makes bridges, ports and ruleset whole for those that run, and
 * removes links of ours that belong to nobody. It touches nothing that does not carry this instance's names.
 */
export async function reconcile(wiring: Wiring, running: ReadonlySet<string>): Promise<void> {
  const { records, resolver } = wiring;
  for (const { containerId } of records.sandboxes()) {
    if (running.has(containerId)) continue;
    // The ruleset is written anew below, or removed.
    records.removeSandbox(containerId);
    await resolver.forget(containerId);
  }
  wiring.bridges.forget();
  const wanted = wantedNetworks(wiring);
  const present = await removeStrayLinks(wiring, wanted);
  await makeBridges(wiring, wanted, present);
  await repairLinks(wiring, present);
  await holdPorts(wiring);
}

/** Networks that were made are there, as after a reboot; the default one only when somebody is on it. */
function wantedNetworks({ records }: Wiring): Network[] {
  return records
    .list()
    .filter(({ id, name, driver }) => driver === "bridge" && (name !== "bridge" || records.isUsed(id)));
}

/** Answers the names of all links that are left. */
async function removeStrayLinks(
  { records, slots, departures, programs, names }: Wiring,
  wanted: readonly Network[],
): Promise<ReadonlySet<string>> {
  const links = await listLinks(programs);
  const needed = new Set([...endpoints({ records }).map(({ link }) => link), ...slots.readyLinks]);
  const strays = new Set([
    ...links
      .map(({ name }) => name)
      .filter((link) => names.isOwnLink(link) && !needed.has(link) && !departures.has(link)),
    ...bridgesBeside(new Set(wanted.map(bridgeNameOf)), links, names),
  ]);
  // The kernel may be about to remove some of them by itself.
  await programs.ipEach([...strays].map(removalLine));
  return new Set(links.map(({ name }) => name)).difference(strays);
}

async function makeBridges(
  { programs, bridges, firewall, watch, forwardCheck, machine, events }: Wiring,
  wanted: readonly Network[],
  present: ReadonlySet<string>,
): Promise<void> {
  if (wanted.length === 0) {
    await firewall.remove();
    return;
  }
  const plans = wanted.map((network) => bridges.of(network).plan);
  const missing = plans.filter(({ name }) => !present.has(name));
  if (missing.length > 0) await programs.ip(missing.flatMap(bridgeLines));
  await programs.setKernel(Object.assign({}, ...plans.map(bridgeSettings)) as Record<string, string>);
  await programs.ip(plans.flatMap(bridgeAddressLines));
  // The settings are the host's: one network of each kind will do.
  const forwarding = [wanted.find(({ ipv4 }) => ipv4), wanted.find(({ ipv6, internal }) => ipv6 && !internal)];
  for (const network of new Set(forwarding)) {
    if (network !== undefined) await forwardPackets({ programs, machine, events }, network);
  }
  await firewall.ensure();
  watch.start();
  forwardCheck.lookSoon();
}

/** A bridge that was removed meanwhile has lost its ports. */
async function repairLinks({ records, programs, bridges }: Wiring, present: ReadonlySet<string>): Promise<void> {
  const lines = endpoints({ records })
    .filter(({ link }) => present.has(link))
    .flatMap(({ link, network }) => rejoinLines(link, bridges.of(network).plan));
  if (lines.length > 0) await programs.ip(lines);
}

async function holdPorts({ records, ports, held }: Wiring): Promise<void> {
  for (const sandbox of records.sandboxes()) {
    const { containerId } = sandbox;
    const published = sandbox.ports.filter(({ hostPort }) => hostPort !== 0);
    if (published.length > 0 && !held.has(containerId)) held.set(containerId, [await ports.holdAgain(published)]);
  }
}

function endpoints({ records }: Pick<Wiring, "records">): EndpointRecord[] {
  return records.sandboxes().flatMap((sandbox) => sandbox.endpoints);
}
