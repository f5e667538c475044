import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Locks } from "#core/locks";
import { anonymousLabel } from "./anonymous.ts";
import { createVolume, leaseVolume } from "./create.ts";
import { fillVolume, finishFill, isEmpty, scratchFolder } from "./fill.ts";
import { LocalDriver } from "./local.ts";
import { mountVolume, unmountAll } from "./mount.ts";
import { dockersPluginFolders } from "./plugins/discover.ts";
import { Plugins } from "./plugins/plugins.ts";
import { VolumeRecords } from "./records.ts";
import { pruneVolumes, removeUnheld, removeVolume } from "./remove.ts";
import { shown } from "./shown.ts";
import { usage } from "./usage.ts";
import type { Volumes, VolumesOptions } from "./volumes.ts";
import type { Wiring } from "./wiring.ts";

/** Opens the room: makes up for what a crash cut off. Holds and mounts are looked at when their holders are known (`reconcile`). */
export async function openVolumes(options: VolumesOptions): Promise<Volumes> {
  const wiring = wire(options);
  mkdirSync(scratchFolder(wiring), { recursive: true, mode: 0o700 });
  await recover(wiring);
  const { records } = wiring;
  return {
    list: async () => await list(wiring),
    find: async (name) =>
      await shown(wiring, records.get(name) ?? (await wiring.plugins.find(name)) ?? records.find(name)),
    create: async (request) => await createVolume(wiring, request, { passing: false }),
    lease: async (request) => await leaseVolume(wiring, request),
    remove: async (name, how) => await removeVolume(wiring, name, how),
    prune: async (request) => await pruneVolumes(wiring, request),
    usage: async () => await usage(wiring),
    hold: (holder, names) => records.hold(holder, names),
    release: (holder, passing) => records.release(holder, passing),
    removeUnheld: async (names) => await removeUnheld(wiring, names),
    holdersOf: (name) => records.holdersOf(name),
    fill: async (name, source, signal) => await fillVolume(wiring, name, source, signal),
    mount: async (name, use) => await mountVolume(wiring, name, use),
    usersOf: (name) => records.usersOf(name),
    unmount: async (holder) => await unmountAll(wiring, holder),
    reconcile: async (holders, users) => await reconcile(wiring, holders, users),
  };
}

function wire({ database, shim, paths, clock, events, log, pluginFolders }: VolumesOptions): Wiring {
  const records = new VolumeRecords(database);
  const drivers = new Set(records.list().map(({ driver }) => driver));
  drivers.delete("local");
  return {
    records,
    local: new LocalDriver(join(paths.dataRoot, "volumes"), shim),
    plugins: new Plugins(pluginFolders ?? dockersPluginFolders, drivers),
    locks: new Locks(),
    leases: new Map(),
    shim,
    paths,
    clock,
    events,
    log,
  };
}

async function list(wiring: Wiring): ReturnType<Volumes["list"]> {
  const { found, warnings } = await wiring.plugins.list();
  const own = wiring.records.list();
  const names = new Set(own.map(({ name }) => name));
  const others = found.filter(({ name }) => !names.has(name));
  const all = [...own, ...others].sort((left, right) => (left.name < right.name ? -1 : 1));
  return { volumes: await Promise.all(all.map(async (record) => await shown(wiring, record))), warnings };
}

/**
 * Records and folders together again. A folder with data and without a record is somebody's data: it becomes a volume. One
 * volume that makes trouble keeps no other one away.
 */
async function recover(wiring: Wiring): Promise<void> {
  const { records, local, clock, log } = wiring;
  const trouble = (error: unknown): void => log?.warn("a volume cannot be made whole", { error: String(error) });
  for (const { name, driver, options } of records.list()) {
    if (driver !== local.name) continue;
    if (local.isHalfRemoved(name)) records.delete(name);
    else await local.create(name, options).catch(trouble);
  }
  for (const name of await local.clean((known) => records.get(known) !== undefined, trouble)) {
    const options = local.optionsFound(name);
    if (options["size"] !== undefined && (await isEmpty(wiring, local.diskOf(name)).catch(() => false))) {
      await local.remove(name, async () => {}).catch(trouble); // it was never answered
      continue;
    }
    log?.warn("a volume without a record was found and taken up", { volume: name });
    const labels = /^[0-9a-f]{64}$/.test(name) ? { [anonymousLabel]: "" } : {};
    records.add({ name, driver: local.name, createdNs: clock.now(), labels, options }, false);
  }
  for (const record of records.list()) {
    if (record.driver === local.name) await finishFill(wiring, record).catch(trouble);
  }
}

async function reconcile(wiring: Wiring, holders: ReadonlySet<string>, users: ReadonlySet<string>): Promise<void> {
  const { records } = wiring;
  for (const user of records.users()) if (!users.has(user)) await unmountAll(wiring, user);
  for (const holder of records.holders()) if (!holders.has(holder)) records.release(holder, []);
  await removeUnheld(wiring, records.passing());
}
