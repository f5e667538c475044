import type { Machine } from "#host";
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

/** What is the asker's own, and in nobody's way: a network by its id, a link of the host by its name. */
export interface Own {
  readonly id?: string;
  readonly link?: string;
}

/** The networks of a family that the host or other networks of ours use at this moment; what is the asker's own is left out. */
export async function occupiedNow(
  { records, programs, machine }: HostView,
  family: Family,
  own: Own = {},
): Promise<Occupied[]> {
  const networks = records.list().filter(({ driver }) => driver === "bridge");
  const bridges = new Set(networks.map(bridgeNameOf));
  const routes = await programs.ipList(`-${family}`, "route", "show", "table", "all");
  const ofHost = occupiedBy(routes, await machine.resolvConf(), (link) => bridges.has(link) || link === own.link);
  const ours = networks.flatMap((network) => {
    const pool = network.id === own.id ? undefined : poolOf(network, family);
    return pool === undefined ? [] : [{ subnet: subnetFrom(pool.subnet), by: `the network ${network.name}` }];
  });
  return [...ours, ...ofHost];
}
