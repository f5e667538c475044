import { linkNames } from "./links/departures.ts";
import { bridgeNameOf } from "./links/bridge-plan.ts";
import { bridgeAddressLines, bridgeLines, bridgeSettings, rejoinLines } from "./links/link-commands.ts";
import { forwardPackets } from "./links/forwarding.ts";
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
  await removeStrayLinks(wiring);
  await makeBridges(wiring);
  await repairLinks(wiring);
  await holdPorts(wiring);
}

async function removeStrayLinks({ records, slots, departures, programs, names }: Wiring): Promise<void> {
  const needed = new Set([...endpoints({ records }).map(({ link }) => link), ...slots.readyLinks]);
  const strays = [...(await linkNames(programs))].filter(
    (link) => names.isOwnLink(link) && !needed.has(link) && !departures.has(link),
  );
  const known = new Set(records.list().map(bridgeNameOf));
  const bridges = (await programs.ipList("link", "show", "type", "bridge")) as { ifname?: string; ifalias?: string }[];
  const left = bridges.flatMap(({ ifname, ifalias }) =>
    ifname !== undefined && !known.has(ifname) && names.isOwnAlias(ifalias ?? "") ? [ifname] : [],
  );
  // The kernel may be about to remove some of them by itself.
  await programs.ipEach([...strays, ...left].map((link) => `link delete dev ${link}`));
}

/** Networks that were made are there, as after a reboot; the default one only when somebody is on it. */
async function makeBridges({ records, programs, bridges, firewall, watch, machine, events }: Wiring): Promise<void> {
  const wanted = records
    .list()
    .filter(({ id, name, driver }) => driver === "bridge" && (name !== "bridge" || records.isUsed(id)));
  bridges.forget();
  const fallow = records.find("bridge");
  if (!records.isUsed(fallow.id)) await bridges.of(fallow).remove();
  if (wanted.length === 0) {
    await firewall.remove();
    return;
  }
  const present = new Set(
    ((await programs.ipList("link", "show", "type", "bridge")) as { ifname?: string }[]).map(({ ifname }) => ifname),
  );
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
}

/** A bridge that was removed meanwhile has lost its ports. */
async function repairLinks({ records, programs, bridges }: Wiring): Promise<void> {
  const present = await linkNames(programs);
  const lines = endpoints({ records })
    .filter(({ link }) => present.has(link))
    .flatMap(({ link, network }) => rejoinLines(link, bridges.of(network).plan));
  if (lines.length > 0) await programs.ip(lines);
}

async function holdPorts({ records, ports, held }: Wiring): Promise<void> {
  for (const { containerId, ports: published } of records.sandboxes()) {
    if (published.length > 0 && !held.has(containerId)) held.set(containerId, [await ports.holdAgain(published)]);
  }
}

function endpoints({ records }: Pick<Wiring, "records">): EndpointRecord[] {
  return records.sandboxes().flatMap((sandbox) => sandbox.endpoints);
}
