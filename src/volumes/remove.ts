import { Fault, isFault } from "#core/fault";
import { isAnonymous } from "./anonymous.ts";
import { sizeOf } from "./usage.ts";
import { shown } from "./shown.ts";
import type { PruneRequest } from "./volumes.ts";
import { driverOf, report, type Wiring } from "./wiring.ts";

/** Removes a volume that nobody holds. */
export async function removeVolume(wiring: Wiring, name: string, { force }: { force: boolean }): Promise<void> {
  const { records, locks, plugins } = wiring;
  using _lock = await locks.take(name);
  const record = records.get(name) ?? (await plugins.find(name));
  if (record === undefined) {
    if (force) return;
    throw new Fault("notFound", `get ${name.slice(0, 256)}: no such volume`);
  }
  const users = [...new Set([...records.holdersOf(name), ...records.usersOf(name)])];
  if (users.length > 0) {
    throw new Fault("conflict", `remove ${name}: volume is in use - [${users.join(", ")}]`, {
      remedy: "Remove these containers first: docker rm.",
    });
  }
  const forget = async (): Promise<void> => {
    records.delete(name);
    await records.settled();
  };
  try {
    await (await driverOf(wiring, record.driver)).remove(name, forget);
  } catch (error) {
    if (records.get(name) === undefined) {
      // It is gone for all who ask; what is left of its files goes with the daemon's next start.
      wiring.log?.warn("a removed volume left files", { volume: name, error: String(error) });
    } else if (force && record.driver !== "local") {
      await forget();
    } else throw error;
  }
  report(wiring, "destroy", record);
}

/** Removes those that nobody holds; one that cannot go stays, and the log says why. */
export async function removeUnheld(wiring: Wiring, names: readonly string[]): Promise<void> {
  for (const name of names) {
    try {
      await removeVolume(wiring, name, { force: true });
    } catch (error) {
      if (!isFault(error, "conflict")) wiring.log?.warn("a volume stays", { volume: name, error: String(error) });
    }
  }
}

/** Removes what nobody holds: anonymous ones, and with `all` named ones too. */
export async function pruneVolumes(
  wiring: Wiring,
  request: PruneRequest,
): Promise<{ readonly removed: readonly string[]; readonly reclaimedBytes: number }> {
  const { records, events } = wiring;
  const removed: string[] = [];
  let reclaimedBytes = 0;
  for (const record of records.list()) {
    // Somebody is making a container with it.
    if (wiring.leases.has(record.name)) continue;
    // As in Docker: what belongs to plugins is for the person to remove.
    if (record.driver !== "local" || records.holdersOf(record.name).length > 0) continue;
    if (!(request.all || isAnonymous(record)) || !request.accepts(await shown(wiring, record))) continue;
    const sizeBytes = await sizeOf(wiring, record);
    try {
      await removeVolume(wiring, record.name, { force: false });
      removed.push(record.name);
      reclaimedBytes += Math.max(0, sizeBytes);
    } catch (error) {
      if (isFault(error, "exhausted")) throw error;
      // Somebody took it meanwhile; the others go all the same.
      if (!isFault(error, "conflict") && !isFault(error, "notFound"))
        wiring.log?.warn("a volume stays", { volume: record.name, error: String(error) });
    }
  }
  events.emit({ type: "volume", action: "prune", actorId: "", attributes: { reclaimed: String(reclaimedBytes) } });
  return { removed, reclaimedBytes };
}
