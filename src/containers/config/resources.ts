import type { Limits } from "../containers.ts";
import type { DeviceNumber } from "./devices.ts";
import type { DeviceRule, DeviceThrottle, RuntimeCpu, RuntimeMemory, RuntimeResources } from "./runtime-spec.ts";

/** Numbers of the block devices that limits name, by path. */
export type BlockDevices = ReadonlyMap<string, DeviceNumber>;

/** The limits as the OCI runtime is told them (config-linux.md, "Control groups"); what differs between cgroup v1 and v2 is the runtime's work. */
export function runtimeResources(
  limits: Partial<Limits>,
  blockDevices: BlockDevices,
  deviceRules: readonly DeviceRule[],
): RuntimeResources {
  return { devices: deviceRules, ...runtimeLimits(limits, blockDevices) };
}

/** The same without devices, as an update says it. */
export function runtimeLimits(limits: Partial<Limits>, blockDevices: BlockDevices): Omit<RuntimeResources, "devices"> {
  const { pids = 0 } = limits;
  const memory = memoryOf(limits);
  const cpu = cpuOf(limits);
  const blockIO = blockIoOf(limits, blockDevices);
  return {
    ...(Object.keys(memory).length > 0 && { memory }),
    ...(Object.keys(cpu).length > 0 && { cpu }),
    ...(pids > 0 && pids < mostPids && { pids: { limit: pids } }),
    ...(Object.keys(blockIO).length > 0 && { blockIO }),
  };
}

/** Paths of the block devices that the limits name. */
export function blockDevicePaths(limits: Partial<Limits>): string[] {
  const { blkioWeightDevice = [], readBps = [], writeBps = [], readIops = [], writeIops = [] } = limits;
  const all = [blkioWeightDevice, readBps, writeBps, readIops, writeIops].flat();
  return [...new Set(all.map(({ path }) => path))];
}

/** PID_MAX_LIMIT: the kernel refuses higher limits, which would be none. */
const mostPids = 4_194_304;
const usualPeriod = 100_000;

function memoryOf(limits: Partial<Limits>): RuntimeMemory {
  const { memoryBytes = 0, memorySwapBytes = 0, memoryReservationBytes = 0, memorySwappiness } = limits;
  return {
    ...(memoryBytes > 0 && { limit: memoryBytes }),
    // The kernel limits swap beside memory, never alone; without a limit there may be no file to say so.
    ...(memorySwapBytes > 0 && memoryBytes > 0 && { swap: memorySwapBytes }),
    ...(memoryReservationBytes > 0 && { reservation: memoryReservationBytes }),
    ...(memorySwappiness !== undefined && { swappiness: memorySwappiness }),
    ...(limits.oomKillDisable === true && { disableOOMKiller: true }),
  };
}

function cpuOf(limits: Partial<Limits>): RuntimeCpu {
  const { nanoCpus = 0, cpuShares = 0, cpuQuota = 0, cpuPeriod = 0, cpusetCpus = "", cpusetMems = "" } = limits;
  const { cpuRealtimePeriod = 0, cpuRealtimeRuntime = 0 } = limits;
  return {
    ...(cpuShares > 0 && { shares: cpuShares }),
    ...(nanoCpus > 0
      ? { quota: Math.floor((nanoCpus * usualPeriod) / 1e9), period: usualPeriod }
      : { ...(cpuQuota > 0 && { quota: cpuQuota }), ...(cpuPeriod > 0 && { period: cpuPeriod }) }),
    ...(cpuRealtimePeriod > 0 && { realtimePeriod: cpuRealtimePeriod }),
    ...(cpuRealtimeRuntime > 0 && { realtimeRuntime: cpuRealtimeRuntime }),
    ...(cpusetCpus !== "" && { cpus: cpusetCpus }),
    ...(cpusetMems !== "" && { mems: cpusetMems }),
  };
}

function blockIoOf(limits: Partial<Limits>, blockDevices: BlockDevices): NonNullable<RuntimeResources["blockIO"]> {
  const number = (path: string): DeviceNumber => blockDevices.get(path) ?? { major: 0, minor: 0 };
  const throttles = (rates: Limits["readBps"] = []): DeviceThrottle[] =>
    rates.map(({ path, rate }) => {
      const { major, minor } = number(path);
      return { major, minor, rate };
    });
  const {
    blkioWeight = 0,
    blkioWeightDevice = [],
    readBps = [],
    writeBps = [],
    readIops = [],
    writeIops = [],
  } = limits;
  return {
    ...(blkioWeight > 0 && { weight: blkioWeight }),
    ...(blkioWeightDevice.length > 0 && {
      weightDevice: blkioWeightDevice.map(({ path, weight }) => {
        const { major, minor } = number(path);
        return { major, minor, weight };
      }),
    }),
    ...(readBps.length > 0 && { throttleReadBpsDevice: throttles(readBps) }),
    ...(writeBps.length > 0 && { throttleWriteBpsDevice: throttles(writeBps) }),
    ...(readIops.length > 0 && { throttleReadIOPSDevice: throttles(readIops) }),
    ...(writeIops.length > 0 && { throttleWriteIOPSDevice: throttles(writeIops) }),
  };
}
