import { anonymousLabel } from "./anonymous.ts";
import { Fault, isFault } from "#core/fault";
import { newId } from "#core/ids";
import { checkVolumeName } from "./name.ts";
import type { VolumeRecord } from "./records.ts";
import { shown } from "./shown.ts";
import { removeUnheld } from "./remove.ts";
import type { Volume, VolumeLease, VolumeRequest } from "./volumes.ts";
import { driverOf, report, type Wiring } from "./wiring.ts";

/** Makes a volume, or answers the one of that name. `passing`: it is somebody's who has yet to take a hold. */
export async function createVolume(
  wiring: Wiring,
  request: VolumeRequest,
  { passing }: { readonly passing: boolean },
): Promise<Volume> {
  const { records, locks, clock } = wiring;
  const named = request.name !== "";
  const name = named ? request.name : newId();
  const driverName = request.driver === "" ? "local" : request.driver;
  if (driverName === "local") checkVolumeName(name);
  using _lock = await locks.take(name);
  const known = await knownVolume(wiring, name);
  if (known !== undefined) {
    if (known.driver !== driverName && (request.driver !== "" || !passing)) throw nameConflict(name);
    if (records.get(name) === undefined) records.add(known, false);
    else if (!passing) records.keep(name);
    if (!passing) await records.settled();
    return await shown(wiring, known);
  }
  const labels = named ? request.labels : { ...request.labels, [anonymousLabel]: "" };
  const record: VolumeRecord = { name, driver: driverName, createdNs: clock.now(), labels, options: request.options };
  await make(wiring, record);
  // A plugin answers the same for one that it had already, which must not go with a container that does not come.
  records.add(record, passing && (driverName === "local" || !named));
  if (!passing) await records.settled(); // else with the container
  report(wiring, "create", record);
  return await shown(wiring, record);
}

/** Ours, or one that a plugin tells of. */
async function knownVolume({ records, plugins }: Wiring, name: string): Promise<VolumeRecord | undefined> {
  return records.get(name) ?? (await plugins.find(name));
}

async function make(wiring: Wiring, { name, driver, options }: VolumeRecord): Promise<void> {
  try {
    await (await driverOf(wiring, driver)).create(name, options);
  } catch (error) {
    if (!isFault(error, "invalid") || error.message.startsWith("create ")) throw error;
    throw new Fault("invalid", `create ${name}: ${error.message}`, {
      cause: error,
      ...(error.remedy !== undefined && { remedy: error.remedy }),
    });
  }
}

function nameConflict(name: string): Fault {
  return new Fault("conflict", `create ${name}: conflict: volume name must be unique`, {
    remedy: "A volume of another driver has that name: choose another one.",
  });
}

/**
 * Makes a volume for a container that is being made, or finds it. When the answer is disposed and nobody has taken a hold, a
 * volume that was made in this way goes again, unless somebody else is making a container with it.
 */
export async function leaseVolume(wiring: Wiring, request: VolumeRequest): Promise<VolumeLease> {
  const { leases, records } = wiring;
  const volume = await createVolume(wiring, request, { passing: true });
  const { name } = volume;
  leases.set(name, (leases.get(name) ?? 0) + 1);
  return {
    volume,
    async [Symbol.asyncDispose]() {
      const left = (leases.get(name) ?? 1) - 1;
      if (left > 0) leases.set(name, left);
      else leases.delete(name);
      if (left === 0 && records.passing().includes(name)) await removeUnheld(wiring, [name]);
    },
  };
}
