import type { Machine } from "#host";
import { isHosted } from "../drivers/driver.ts";
import { bridgeNameOf, poolOf } from "../links/bridge-plan.ts";
import type { Network } from "../networks.ts";
import type { NetworkPrograms } from "../programs.ts";
import type { NetworkRecords } from "../records.ts";
import { type Family, type Subnet, formatSubnet, overlaps, subnetFrom } from "./address.ts";
import { type Occupied, type SubnetSource, chooseSubnet, occupiedBy } from "./subnet-choice.ts";

/** What tells which addresses are in use. */
export interface HostView {
  readonly records: NetworkRecords;
  readonly programs: NetworkPrograms;
  readonly machine: Pick<Machine, "resolvConf">;
}

/** What is the asker's own, and in nobody's way: a network by its id, a link of the host by its name. */
export interface Own {
  readonly id?: string;
  readonly link?: string;
}

/** What networks of ours use of the subnet. */
export function ownClashesWith(view: Pick<HostView, "records">, subnet: Subnet): Occupied[] {
  return ofNetworks(view, subnet.family, {}).filter((other) => overlaps(subnet, other.subnet));
}

/** What uses addresses of the subnet at this moment: the host, or networks of ours; what is the asker's own is left out. */
export async function clashesWith(view: HostView, subnet: Subnet, own: Own = {}): Promise<Occupied[]> {
  const others = await hostClashesWith(view, subnet, own);
  return [...ofNetworks(view, subnet.family, own).filter((other) => overlaps(subnet, other.subnet)), ...others];
}

/**
 * A subnet of the sources that nothing uses at this moment. The host's routes, of which there may be thousands, are asked for
 * the one subnet that our own networks leave free; all of them only when it clashes. Fault `exhausted`, with the remedy.
 */
export async function freeSubnet(
  view: HostView,
  sources: readonly SubnetSource[],
  family: Family,
  remedy: string,
  own: Own = {},
): Promise<Subnet> {
  const ours = ofNetworks(view, family, own);
  const first = chooseSubnet(sources, ours, remedy);
  if ((await hostClashesWith(view, first, own)).length === 0) return first;
  const routes = await view.programs.routes(family);
  return chooseSubnet(sources, [...ours, ...(await ofHost(view, routes, own))], remedy);
}

async function hostClashesWith(view: HostView, subnet: Subnet, own: Own): Promise<Occupied[]> {
  const around = formatSubnet(subnet);
  const routes = await view.programs.routes(subnet.family, [`root ${around}`, `match ${around}`]);
  return (await ofHost(view, routes, own)).filter((other) => overlaps(subnet, other.subnet));
}

async function ofHost({ records, machine }: HostView, routes: readonly unknown[], own: Own): Promise<Occupied[]> {
  // Few routes are asked about, and most of those are of no link of ours: often nobody needs the names.
  let bridges: ReadonlySet<string> | undefined;
  const isBridge = (link: string): boolean => {
    bridges ??= new Set(records.all().filter(isHosted).map(bridgeNameOf));
    return bridges.has(link);
  };
  return occupiedBy(routes, await machine.resolvConf(), (link) => link === own.link || isBridge(link));
}

/** Those that networks of ours have: thousands, for each new network. */
function ofNetworks({ records }: Pick<HostView, "records">, family: Family, own: Own): Occupied[] {
  const found: Occupied[] = [];
  for (const network of records.all()) {
    if (network.id !== own.id) found.push(...occupiedByNetwork(network)[family]);
  }
  return found;
}

/** Each network's is worked out once. */
function occupiedByNetwork(network: Network): Readonly<Record<Family, readonly Occupied[]>> {
  const known = occupiedByNetworks.get(network);
  if (known !== undefined) return known;
  const of = (family: Family): Occupied[] => {
    const pool = poolOf(network, family);
    return pool === undefined ? [] : [{ subnet: subnetFrom(pool.subnet), by: `the network ${network.name}` }];
  };
  const occupied = { 4: of(4), 6: of(6) };
  occupiedByNetworks.set(network, occupied);
  return occupied;
}

const occupiedByNetworks = new WeakMap<Network, Readonly<Record<Family, readonly Occupied[]>>>();
