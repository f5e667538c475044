import assert from "node:assert/strict";
import { Fault } from "#core/fault";
import type { MonitorSlot, Shim, SlotNamespaces } from "#host";
import type { DefaultBridge } from "./default-bridge.ts";
import type { Departures } from "./departures.ts";
import type { Firewall } from "./firewall.ts";
import { type EndpointPlan, linkSettings, hostLines } from "./link-commands.ts";
import type { InstanceNames } from "./names.ts";
import { prepareSlots } from "./prepare-slots.ts";
import type { NetworkPrograms } from "./programs.ts";

/** A slot whose network namespace is already on the bridge, address and route set; nobody's yet. */
export interface WarmEndpoint {
  readonly slot: MonitorSlot;
  readonly link: string;
  readonly address: number;
}

/** What preparing needs. */
export interface EndpointWorkshop {
  readonly shim: Pick<Shim, "prepareMonitor">;
  readonly programs: NetworkPrograms;
  readonly bridge: DefaultBridge;
  readonly firewall: Firewall;
  readonly departures: Departures;
  readonly names: InstanceNames;
  /** What the slots have beside their network namespaces. */
  readonly users: Omit<SlotNamespaces, "newNetns">;
}

/**
 * Makes 1 to `count` warm endpoints: one `ip` on the host for all of them and one in each namespace. Fault `exhausted`
 * when there is no address left.
 */
export async function prepareEndpoints(workshop: EndpointWorkshop, count: number): Promise<WarmEndpoint[]> {
  const { bridge, firewall } = workshop;
  await bridge.ensure(async () => await firewall.replace());
  try {
    return await prepareOn(workshop, count);
  } catch (error) {
    if (error instanceof Fault && error.kind !== "internal") throw error;
    if (error instanceof Fault && error.message.includes("Exchange full")) throw fullBridge(bridge, error);
    // Perhaps somebody removed the bridge.
    bridge.forget();
    await bridge.ensure(async () => await firewall.replace());
    return await prepareOn(workshop, count);
  }
}

/** Gives an endpoint up: its namespace goes, and its address comes back when the link is gone. */
export async function discardEndpoint(
  { departures }: Pick<EndpointWorkshop, "departures">,
  warm: WarmEndpoint,
): Promise<void> {
  await warm.slot[Symbol.asyncDispose]();
  departures.add(warm.link, warm.address);
}

async function prepareOn(workshop: EndpointWorkshop, count: number): Promise<WarmEndpoint[]> {
  const { shim, programs, bridge, names, departures } = workshop;
  await using undo = new AsyncDisposableStack();
  const places = (await takeAddresses(workshop, count)).map((address) => ({ address, link: names.newLink() }));
  // The stack runs backwards: first the namespaces go, then the addresses wait for their links to be gone.
  for (const { link, address } of places) undo.defer(() => departures.add(link, address));
  const slots = await prepareSlots(shim, { ...workshop.users, newNetns: true }, places.length);
  const made = places.map(({ address, link }, index) => {
    const slot = slots[index];
    assert(slot !== undefined);
    return { slot: undo.use(slot), address, link };
  });
  const plans = made.map((warm) => ({ warm, plan: planOf(bridge, warm) }));
  await programs.ip(plans.flatMap(({ warm, plan }) => hostLines(plan, bridge.name, warm.slot.pid)));
  await Promise.all(
    plans.map(
      async ({ warm, plan }) => await programs.configureInside(`/proc/${warm.slot.pid}/ns/net`, linkSettings(plan)),
    ),
  );
  undo.move();
  return made;
}

/** The kernel's limit (BR_MAX_PORTS). A batch that would pass it fails whole; the next ones are as small as what is asked for. */
function fullBridge({ name }: DefaultBridge, cause: Fault): Fault {
  return new Fault("exhausted", `the bridge ${name} has no port left: a bridge of this kernel takes 1023 containers`, {
    cause,
    remedy: "Stop containers that are not needed, or run some with --network none or host.",
  });
}

/** At least one address, at most `count`. */
async function takeAddresses({ bridge, departures }: EndpointWorkshop, count: number): Promise<number[]> {
  const addresses = takeUpTo(bridge, count);
  if (addresses.length > 0) return addresses;
  await departures.sweep();
  const freed = takeUpTo(bridge, count);
  if (freed.length > 0) return freed;
  const { name, id } = bridge.network;
  throw new Fault("exhausted", `no available IPv4 addresses on this network's address pools: ${name} (${id})`, {
    remedy: "Stop containers that are not needed, or give the daemon a larger network with --bip.",
  });
}

function takeUpTo(bridge: DefaultBridge, count: number): number[] {
  const addresses: number[] = [];
  while (addresses.length < count) {
    const address = bridge.takeAddress();
    if (address === undefined) break;
    addresses.push(address);
  }
  return addresses;
}

function planOf({ plan }: DefaultBridge, { link, address }: WarmEndpoint): EndpointPlan {
  return { link, address, subnet: plan.subnet, gateway: plan.gateway, mtu: plan.mtu };
}
