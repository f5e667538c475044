import assert from "node:assert/strict";
import type { MonitorSlot, SlotNamespaces } from "#host";
import { attach } from "./attach.ts";
import { DefaultBridge } from "./default-bridge.ts";
import { Departures } from "./departures.ts";
import { Firewall } from "./firewall.ts";
import { type InstanceNames, namesOf } from "./names.ts";
import type { Network, Networks, NetworksOptions } from "./networks.ts";
import { PortHolds } from "./port-holds.ts";
import { type WarmEndpoint, discardEndpoint, prepareEndpoints } from "./prepare-endpoints.ts";
import { prepareSlots } from "./prepare-slots.ts";
import { NetworkPrograms } from "./programs.ts";
import { reconcile } from "./reconcile.ts";
import { NetworkRecords, endpointFrom } from "./records.ts";
import { release } from "./release.ts";
import { WarmPool } from "./warm-pool.ts";
import { type Wiring, bridgeInUse, publicationsOf } from "./wiring.ts";

/** Opens the room: makes the default networks' records; bridge, ruleset and warm slots follow with the first need. */
export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  const names = namesOf(options.paths.instance);
  const wiring = await wire(options, names);
  const { records } = wiring;
  return {
    list: () => records.list(),
    find: (nameOrId) => records.find(nameOrId),
    endpointsOf: (networkId) => shownEndpoints(wiring, networkId),
    attach: async (request, signal) => await attach(wiring, request, signal),
    release: async (containerId) => await release(wiring, containerId),
    rename: (containerId, name) => records.rename(containerId, name),
    endpointOf: (containerId) => {
      const record = records.endpointOf(containerId);
      return record === undefined ? undefined : endpointFrom(record);
    },
    reconcile: async (running) => await reconcile(wiring, names, running),
    close: async () => await close(wiring),
  };
}

async function wire(options: NetworksOptions, names: InstanceNames): Promise<Wiring> {
  const { shim, events, machine, mtu, clock } = options;
  const programs = new NetworkPrograms(shim);
  const records = new NetworkRecords(options.database);
  defineFixedNetworks(records, clock.now());
  const bridge = await DefaultBridge.open({
    records,
    programs,
    machine,
    events,
    names,
    mtu,
    createdNs: clock.now(),
    ...(options.bridgeAddress !== undefined && { address: options.bridgeAddress }),
    ...(options.bridgeName !== undefined && { bridgeName: options.bridgeName }),
  });
  const firewall = new Firewall(programs, names.table, () => ({
    networks: [{ bridge: bridge.name, subnet: bridge.plan.subnet }],
    publications: records.endpoints().flatMap(publicationsOf),
  }));
  const departures = new Departures(programs, (address) => bridge.freeAddress(address));
  const workshop = { shim, programs, bridge, firewall, departures, names };
  const { warmSlots, mapsUsers = false } = options;
  const onBridge = (newUserns: boolean): WarmPool<WarmEndpoint> =>
    new WarmPool<WarmEndpoint>({
      prepare: async (count) => await prepareEndpoints({ ...workshop, users: { newUserns } }, count),
      discard: async (warm) => await discardEndpoint(workshop, warm),
      target: newUserns === mapsUsers ? warmSlots : 0,
      batch: slotBatch,
    });
  const bare = (namespaces: SlotNamespaces, target: number): WarmPool<MonitorSlot> =>
    new WarmPool({
      prepare: async (count) => await prepareSlots(shim, namespaces, count),
      discard: async (slot) => await slot[Symbol.asyncDispose](),
      target,
      batch: slotBatch,
    });
  return {
    records,
    programs,
    events,
    bridge,
    firewall,
    departures,
    ports: new PortHolds(await ephemeralRange(programs)),
    held: new Map(),
    bridgeSlots: onBridge(false),
    mappedBridgeSlots: onBridge(true),
    lonelySlots: bare({ newNetns: true }, mapsUsers ? 0 : warmSlots),
    mappedLonelySlots: bare({ newNetns: true, newUserns: true }, mapsUsers ? warmSlots : 0),
    makeSlotIn: async (userns) => await shim.prepareMonitor({ newNetns: true, userns }),
    makeEndpointIn: async (userns) => {
      const [made] = await prepareEndpoints({ ...workshop, users: { userns } }, 1);
      assert(made !== undefined);
      return made;
    },
    hostSlots: bare({ newNetns: false }, Math.ceil(warmSlots / 2)),
  };
}

/** Most slots made in one go: a burst of starts shares the cost, and its first ones do not wait for the last. */
const slotBatch = 8;

function defineFixedNetworks(records: NetworkRecords, createdNs: bigint): void {
  const fixed: Pick<Network, "name" | "driver">[] = [
    { name: "host", driver: "host" },
    { name: "none", driver: "null" },
  ];
  for (const network of fixed) records.define({ ...network, createdNs, options: {}, labels: {} });
}

async function ephemeralRange(programs: NetworkPrograms): Promise<{ first: number; last: number }> {
  const [first = 32_768, last = 60_999] = (await programs.readKernel("net.ipv4.ip_local_port_range"))
    .split(/\s+/)
    .map(Number);
  return { first, last };
}

function shownEndpoints({ records }: Wiring, networkId: string): ReturnType<Networks["endpointsOf"]> {
  return records.endpoints(networkId).flatMap((record) => {
    const endpoint = endpointFrom(record);
    const { containerId, containerName } = record;
    return endpoint === undefined ? [] : [{ containerId, containerName, endpoint }];
  });
}

async function close(wiring: Wiring): Promise<void> {
  const { bridgeSlots, lonelySlots, hostSlots, mappedBridgeSlots, mappedLonelySlots } = wiring;
  const { departures, held, bridge, firewall } = wiring;
  const pools = [bridgeSlots, lonelySlots, hostSlots, mappedBridgeSlots, mappedLonelySlots];
  await Promise.all(pools.map(async (pool) => await pool.close()));
  await departures.close();
  for (const holds of held.values()) await Promise.all(holds.map(async (hold) => await hold[Symbol.asyncDispose]()));
  held.clear();
  if (bridgeInUse(wiring)) return;
  await bridge.remove();
  await firewall.remove();
}
