import { join } from "node:path";
import { subnetFrom } from "./addresses/address.ts";
import { defaultSources } from "./addresses/subnet-choice.ts";
import { withSubnetLock } from "./addresses/subnet-lock.ts";
import { createNetwork } from "./create.ts";
import { isAlone, isHosted } from "./drivers/driver.ts";
import { openDrivers } from "./drivers/drivers.ts";
import { attach } from "./endpoints/attach.ts";
import { attachedFrom, endpointFrom } from "./endpoints/attached.ts";
import { connect, disconnect, tellNames } from "./endpoints/connect.ts";
import { namesOf as containerNamesOf } from "./endpoints/names-of.ts";
import { evict } from "./endpoints/evict.ts";
import { release } from "./endpoints/release.ts";
import { Firewall } from "./firewall/firewall.ts";
import { ForwardCheck } from "./firewall/forward-check.ts";
import { firewallWatch } from "./firewall/watch.ts";
import { networkRulesOf } from "./links/bridge-plan.ts";
import { bridgeWatch } from "./links/bridge-watch.ts";
import { Bridges } from "./links/bridges.ts";
import { defineDefaultBridge, moveIfClashing } from "./links/default-bridge.ts";
import { Departures } from "./links/departures.ts";
import { listLinks, ownLinksBeside } from "./links/host-links.ts";
import { removalLine } from "./links/link-commands.ts";
import type { MendingParts } from "./links/mend-bridges.ts";
import { type InstanceNames, namesOf } from "./names.ts";
import type { Networks, NetworksOptions } from "./networks.ts";
import { PortHolds } from "./ports/port-holds.ts";
import { heldPortsOf } from "./ports/held-ports.ts";
import { publicationsOf } from "./ports/publications.ts";
import { NetworkPrograms } from "./programs.ts";
import { reconcile } from "./reconcile.ts";
import { NetworkRecords } from "./records.ts";
import { removeNetwork } from "./remove.ts";
import { openResolver, type Resolver } from "./resolver/resolver-client.ts";
import { resolverProgram } from "./resolver/resolver-program.ts";
import { WarmSlots } from "./slots/warm-slots.ts";
import type { Watch, Wiring } from "./wiring.ts";

/** Opens the room: makes the default networks' records; links, ruleset and warm slots follow with the first need. */
export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  const wiring = await wire(options, namesOf(options.paths.instance));
  const { records } = wiring;
  return {
    list: () => records.list(),
    find: (nameOrId) => records.find(nameOrId),
    membersOf: (networkId) =>
      records
        .members(networkId)
        .filter(({ containerName }) => containerName !== "")
        .map(({ containerName, hostname, endpoint }) => ({
          containerId: endpoint.containerId,
          containerName,
          endpoint: endpointFrom(endpoint, { containerName, hostname }),
        })),
    create: async (request) => await createNetwork(wiring, request),
    remove: async (nameOrId) => await removeNetwork(wiring, nameOrId),
    attach: async (request, signal) => await attach(wiring, request, signal),
    connect: async (containerId, request, pid) => await connect(wiring, containerId, request, pid),
    disconnect: async (containerId, networkId, pid) => await disconnect(wiring, containerId, networkId, pid),
    evict: async (networkNameOrId, container) => await evict(wiring, networkNameOrId, container),
    release: async (containerId) => await release(wiring, containerId),
    rename: (containerId, name) => {
      records.rename(containerId, name);
      const sandbox = records.sandboxOf(containerId);
      if (sandbox !== undefined) void tellNames(wiring, sandbox);
    },
    attachedOf: (containerId) => {
      const sandbox = records.sandboxOf(containerId);
      return sandbox === undefined ? undefined : attachedFrom(sandbox);
    },
    heldPortsOf: (containerId) => {
      const sandbox = records.sandboxOf(containerId);
      return sandbox === undefined ? [] : heldPortsOf(sandbox);
    },
    reconcile: async (running) => await reconcile(wiring, running),
    obstacles: async () => await wiring.forwardCheck.look(),
    close: async () => await close(wiring),
  };
}

async function wire(options: NetworksOptions, names: InstanceNames): Promise<Wiring> {
  const { shim, events, machine, mtu, clock, warmSlots, mapsUsers = false } = options;
  const programs = new NetworkPrograms(shim);
  const records = new NetworkRecords(options.database);
  defineFixedNetworks(records, clock.now());
  const defaultBridge = {
    records,
    programs,
    machine,
    mtu,
    createdNs: clock.now(),
    ...(options.bridgeAddress !== undefined && { address: options.bridgeAddress }),
    bridgeName: options.bridgeName ?? names.bridge,
  };
  const { id: defaultId } = await defineDefaultBridge(defaultBridge);
  const exposes = options.firewall === "docker";
  const firewall = new Firewall(programs, names.table, () => {
    const publications = records.sandboxes().flatMap(publicationsOf);
    return {
      networks: records.list().filter(isHosted).map(networkRulesOf),
      publications,
      judges: !exposes || publications.some(({ judged }) => judged),
    };
  });
  const forwardCheck = new ForwardCheck(programs, names.table, options.log);
  const watch = watchOf(firewall, names.table, options, () => ({ records, programs, bridges, slots }));
  const bridges = new Bridges({
    records,
    programs,
    machine,
    firewall,
    watch,
    forwardCheck,
    events,
    mtu,
    aliasOf: ({ id }) => (id === defaultId ? names.bridgeAlias : names.aliasOf(id)),
    // `create` holds the lock already; the default network's place may turn out only now.
    making: async (network, make) =>
      network.id === defaultId
        ? await withSubnetLock(async () => await make(await moveIfClashing(defaultBridge, network)))
        : await make(network),
  });
  const departures = new Departures(programs, machine);
  const workshop = { shim, programs, bridges, departures, names };
  const slots = new WarmSlots({ shim, workshop, target: warmSlots, mapsUsers });
  return {
    records,
    programs,
    machine,
    names,
    now: () => clock.now(),
    events,
    bridges,
    drivers: openDrivers({ records, programs, names, bridges, firewall }),
    ...resolverOf(records, options),
    firewall,
    watch,
    forwardCheck,
    departures,
    ports: new PortHolds(await ephemeralRange(programs)),
    exposes,
    held: new Map(),
    slots,
    sources: sourcesOf(options.addressPools ?? []),
  };
}

function watchOf(
  firewall: Firewall,
  table: string,
  { shim, events, log }: NetworksOptions,
  parts: () => MendingParts,
): Watch {
  const bridges = bridgeWatch({ shim, events, log, parts });
  const rules = firewallWatch({
    shim,
    table,
    isWhole: async () => await firewall.isWhole(),
    repair: async () => {
      await firewall.replace();
      log?.warn("somebody removed parts of the firewall; it was written anew", { table });
      events.emit({ type: "daemon", action: "firewall", actorId: table, attributes: { message: "restored" } });
    },
    onTrouble: (error) => log?.warn("the firewall is not watched", { error: String(error) }),
  });
  const all = [bridges, rules];
  return {
    start: () => {
      for (const each of all) each.start();
    },
    close: async () => {
      await Promise.all(all.map(async (each) => await each.close()));
    },
  };
}

function resolverOf(
  records: NetworkRecords,
  { startDetached, paths, log }: NetworksOptions,
): Pick<Wiring, "resolver" | "resolverSocket"> {
  if (startDetached === undefined) return { resolver: noResolver, resolverSocket: undefined };
  const folder = join(paths.execRoot, "names");
  const resolver = openResolver({
    folder,
    start: async () => await startDetached(resolverProgram(folder)),
    picture: () => records.sandboxes().flatMap((sandbox) => containerNamesOf(sandbox) ?? []),
    onTrouble: (fault) => log?.warn("names are not answered", { error: fault.message }),
  });
  return { resolver, resolverSocket: join(folder, "queries.sock") };
}

const noResolver: Resolver = { state: async () => {}, forget: async () => {}, close: () => {} };

function sourcesOf(settings: NonNullable<NetworksOptions["addressPools"]>): Wiring["sources"] {
  if (settings.length === 0) return defaultSources;
  return settings.map(({ base, size }) => ({ base: subnetFrom(base), size }));
}

function defineFixedNetworks(records: NetworkRecords, createdNs: bigint): void {
  const bare = { ipv4: true, ipv6: false, internal: false, attachable: false, options: {}, labels: {} };
  const ipam = { driver: "default", options: {}, pools: [] };
  records.define({ ...bare, name: "host", driver: "host", createdNs, ipam });
  records.define({ ...bare, name: "none", driver: "null", createdNs, ipam });
}

async function ephemeralRange(programs: NetworkPrograms): Promise<{ first: number; last: number }> {
  const [first = 32_768, last = 60_999] = (await programs.readKernel("net.ipv4.ip_local_port_range"))
    .split(/\s+/)
    .map(Number);
  return { first, last };
}

/** What containers run in stays; of the rest nothing of ours is left on the host until the next start. */
async function close(wiring: Wiring): Promise<void> {
  const { slots, departures, records, programs, names, firewall, watch, forwardCheck, resolver, drivers } = wiring;
  resolver.close();
  forwardCheck.close();
  await watch.close();
  await slots.close();
  await departures.close();
  const used = records.list().filter(({ id, driver }) => !isAlone(driver) && records.isUsed(id));
  const needed = new Set(used.map((network) => drivers(network.driver).hostLink(network)));
  await programs.linksEach(ownLinksBeside(needed, await listLinks(programs), names).map(removalLine));
  if (!used.some(isHosted)) await firewall.remove();
}
