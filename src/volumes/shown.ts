import type { VolumeRecord } from "./records.ts";
import type { Volume } from "./volumes.ts";
import { driverOf, type Wiring } from "./wiring.ts";

/** The volume with what its driver tells of it; a plugin that does not answer tells nothing. */
export async function shown(wiring: Wiring, record: VolumeRecord): Promise<Volume> {
  try {
    return { ...record, ...(await (await driverOf(wiring, record.driver)).look(record)) };
  } catch (error) {
    wiring.log?.warn("a volume's driver does not answer", { volume: record.name, error: String(error) });
    return { ...record, mountpoint: "" };
  }
}
