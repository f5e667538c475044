import type { Machine } from "#host";
import { isHosted } from "../drivers/driver.ts";
import { bridgeNameOf, poolOf } from "../links/bridge-plan.ts";
import type { NetworkPrograms } from "../programs.ts";
import type { NetworkRecords } from "../records.ts";
import { type Family, subnetFrom } from "./address.ts";
import { type Occupied, occupiedBy } from "./subnet-choice.ts";

/** What tells which addresses are in use. */
export interface HostView {
  readonly records: NetworkRecords;
  readonly programs: NetworkPrograms;
  readonly machine: Pick<Machine, "resolvConf">;
}

/** The networks of a family that the host or other networks of ours use at this moment; `ownId` is left out. */
export async function occupiedNow(
  { records, programs, machine }: HostView,
  family: Family,
  ownId?: string,
): Promise<Occupied[]> {
  const bridges = new Set(records.list().filter(isHosted).map(bridgeNameOf));
  const routes = await programs.ipList(`-${family}`, "route", "show", "table", "all");
  const ofHost = occupiedBy(routes, await machine.resolvConf(), (link) => bridges.has(link));
  return [...occupiedByUs({ records }, family, ownId), ...ofHost];
}

/** Those that networks of ours have. */
export function occupiedByUs({ records }: Pick<HostView, "records">, family: Family, ownId?: string): Occupied[] {
  return records.list().flatMap((network) => {
    const pool = network.id === ownId ? undefined : poolOf(network, family);
    return pool === undefined ? [] : [{ subnet: subnetFrom(pool.subnet), by: `the network ${network.name}` }];
  });
}
