import { report, driverOf, type Wiring } from "./wiring.ts";
import type { VolumeSource, VolumeUse } from "./volumes.ts";

/** Gets a volume ready for a user. It is noted first: a crash in between leaves something that is known to be undone. */
export async function mountVolume(wiring: Wiring, name: string, use: VolumeUse): Promise<VolumeSource> {
  const { records, locks } = wiring;
  using _lock = await locks.take(name);
  const record = records.find(name);
  const again = records.mountsOf(use.holder).some(({ volume }) => volume === name);
  records.addMount(name, use);
  try {
    const source = await (await driverOf(wiring, record.driver)).mount(record, use.holder, again);
    report(wiring, "mount", record, {
      container: use.holder,
      destination: use.target,
      "read/write": String(!use.readOnly),
      propagation: use.propagation,
    });
    return source;
  } catch (error) {
    records.removeMount(use.holder, use.target);
    throw error;
  }
}

/** Undoes all mounts of a user. A driver that fails is logged: nobody could do anything about it here. */
export async function unmountAll(wiring: Wiring, holder: string): Promise<void> {
  const { records, locks } = wiring;
  for (const { volume, use } of records.mountsOf(holder)) {
    using _lock = await locks.take(volume);
    const record = records.get(volume);
    records.removeMount(holder, use.target);
    const isLast = !records.mountsOf(holder).some((other) => other.volume === volume);
    if (record === undefined) continue;
    if (isLast) {
      try {
        await (await driverOf(wiring, record.driver)).unmount(record, holder);
      } catch (error) {
        wiring.log?.warn("a volume's driver did not unmount it", { volume, container: holder, error: String(error) });
      }
    }
    report(wiring, "unmount", record, { container: holder });
  }
}
