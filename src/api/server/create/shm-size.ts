import { Fault } from "#core/fault";

const defaultBytes = 64 * 1024 * 1024;

/** The size of `/dev/shm` in bytes: 64 MiB when none or 0 was asked for, as in Docker. Fault `invalid`. */
export function shmSize(wanted: number | undefined): number {
  if (wanted === undefined || wanted === 0) return defaultBytes;
  if (wanted < 0) throw new Fault("invalid", "SHM size can not be less than 0");
  return wanted;
}
