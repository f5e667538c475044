import assert from "node:assert/strict";
import { Fault } from "#core/fault";
import type { MonitorSlot, Shim, SlotNamespaces } from "#host";
import { type Address, macOf } from "../addresses/address.ts";
import { noAddressLeft } from "../addresses/network-addresses.ts";
import type { Bridge } from "../links/bridge.ts";
import type { Bridges } from "../links/bridges.ts";
import type { Departures } from "../links/departures.ts";
import type { EndpointPlan } from "../links/link-commands.ts";
import { plugIn } from "../links/plug.ts";
import type { InstanceNames } from "../names.ts";
import type { NetworkPrograms } from "../programs.ts";
import { prepareSlots } from "./prepare-slots.ts";

/** A slot whose network namespace is already on the default bridge, address and route set; nobody's yet. */
export interface WarmEndpoint {
  readonly slot: MonitorSlot;
  readonly link: string;
  readonly address: Address;
}

/** What preparing needs. */
export interface EndpointWorkshop {
  readonly shim: Pick<Shim, "prepareMonitor">;
  readonly programs: NetworkPrograms;
  readonly bridges: Bridges;
  readonly departures: Departures;
  readonly names: InstanceNames;
  /** What the slots have beside their network namespaces. */
  readonly users: Omit<SlotNamespaces, "newNetns">;
}

/**
 * Makes 1 to `count` warm endpoints: one `ip` on the host for all of them and one step in each namespace. Fault `exhausted`
 * when there is no address left.
 */
export async function prepareEndpoints(workshop: EndpointWorkshop, count: number): Promise<WarmEndpoint[]> {
  const bridge = workshop.bridges.default;
  await bridge.ensure();
  return await onBridge(bridge, async () => await prepareOn(workshop, bridge, count));
}

/** Runs what puts links on a bridge; once more when the bridge had gone. */
export async function onBridge<Result>(bridge: Bridge, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Fault && error.kind !== "internal") throw error;
    // Perhaps somebody removed the bridge.
    bridge.forget();
    await bridge.ensure();
    return await work();
  }
}

/** Gives an endpoint up: its namespace goes, and its address comes back when the link is gone. */
export async function discardEndpoint(
  { departures, bridges }: Pick<EndpointWorkshop, "departures" | "bridges">,
  { slot, link, address }: WarmEndpoint,
): Promise<void> {
  await slot[Symbol.asyncDispose]();
  const bridge = bridges.default;
  departures.add(link, () => bridge.addresses.free(address));
}

/** How the warm endpoint's place is described. */
export function warmPlan({ link, address }: Pick<WarmEndpoint, "link" | "address">): EndpointPlan {
  return { link, interface: "eth0", macAddress: macOf(address), ipv4: address, linkLocal: [] };
}

async function prepareOn(workshop: EndpointWorkshop, bridge: Bridge, count: number): Promise<WarmEndpoint[]> {
  const { shim, programs, names, departures } = workshop;
  await using undo = new AsyncDisposableStack();
  const places = (await takeAddresses(workshop, bridge, count)).map((address) => ({ address, link: names.newLink() }));
  // The stack runs backwards: first the namespaces go, then the addresses wait for their links to be gone.
  for (const { link, address } of places) undo.defer(() => departures.add(link, () => bridge.addresses.free(address)));
  const slots = await prepareSlots(shim, { ...workshop.users, newNetns: true }, places.length);
  const made = places.map(({ address, link }, index) => {
    const slot = slots[index];
    assert(slot !== undefined);
    return { slot: undo.use(slot), address, link };
  });
  const { ipv4 } = bridge.plan;
  await plugIn(
    programs,
    made.map((warm) => ({ plan: warmPlan(warm), bridge: bridge.plan, pid: warm.slot.pid, gateway4: ipv4?.gateway })),
  );
  undo.move();
  return made;
}

async function takeAddresses(
  { departures }: Pick<EndpointWorkshop, "departures">,
  bridge: Bridge,
  count: number,
): Promise<Address[]> {
  const addresses = takeUpTo(bridge, count);
  if (addresses.length > 0) return addresses;
  await departures.sweep();
  const freed = takeUpTo(bridge, count);
  if (freed.length > 0) return freed;
  throw noAddressLeft(bridge.network, 4);
}

function takeUpTo(bridge: Bridge, count: number): Address[] {
  const addresses: Address[] = [];
  while (addresses.length < count) {
    const address = bridge.addresses.take(4);
    if (address === undefined) break;
    addresses.push(address);
  }
  return addresses;
}
