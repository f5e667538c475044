import type { VolumeRecord } from "./records.ts";
import type { VolumeSource } from "./volumes.ts";

/** Where volumes of a kind live, and how they get to who uses them. */
export interface VolumeDriver {
  readonly name: string;
  /** Makes the volume, durably; quiet when it is there. Fault `invalid` for its options. */
  create(name: string, options: VolumeRecord["options"]): Promise<void>;
  /** Removes it; calls `forget` when from then on a crash must not bring it back, and waits for it before anything is lost. */
  remove(name: string, forget: () => Promise<void>): Promise<void>;
  /** Once for each user; `again` when this user has it already. */
  mount(record: VolumeRecord, user: string, again: boolean): Promise<VolumeSource>;
  /** The user has it nowhere any more. */
  unmount(record: VolumeRecord, user: string): Promise<void>;
  /** Its place on the host, and what else the driver tells of it. */
  look(record: VolumeRecord): Promise<{ readonly mountpoint: string; readonly status?: Record<string, unknown> }>;
}
