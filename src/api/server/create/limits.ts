import type { HostConfig, Resources, ThrottleDevice } from "#api/wire";
import { type DeviceRate, type Limits, noLimits, type RestartPolicy } from "#containers";
import { Fault } from "#core/fault";

/** The limits of a create request. */
export function readLimits(host: Partial<Resources>): Limits {
  return { ...noLimits, ...limitChanges(host) };
}

/** The limits that a request names: what is zero, empty or absent changes nothing. */
export function limitChanges(host: Partial<Resources>): Partial<Limits> {
  return {
    ...(isSet(host.Memory) && { memoryBytes: host.Memory }),
    ...(isSet(host.MemorySwap) && { memorySwapBytes: host.MemorySwap }),
    ...(isSet(host.MemoryReservation) && { memoryReservationBytes: host.MemoryReservation }),
    // −1 is how clients say that they do not ask.
    ...(typeof host.MemorySwappiness === "number" &&
      host.MemorySwappiness !== -1 && { memorySwappiness: host.MemorySwappiness }),
    ...(host.OomKillDisable === true && { oomKillDisable: true }),
    ...(isSet(host.NanoCpus) && { nanoCpus: host.NanoCpus }),
    ...(isSet(host.CpuShares) && { cpuShares: host.CpuShares }),
    ...(isSet(host.CpuQuota) && { cpuQuota: host.CpuQuota }),
    ...(isSet(host.CpuPeriod) && { cpuPeriod: host.CpuPeriod }),
    ...(isSet(host.CpuRealtimePeriod) && { cpuRealtimePeriod: host.CpuRealtimePeriod }),
    ...(isSet(host.CpuRealtimeRuntime) && { cpuRealtimeRuntime: host.CpuRealtimeRuntime }),
    ...(isSet(host.CpusetCpus) && { cpusetCpus: host.CpusetCpus }),
    ...(isSet(host.CpusetMems) && { cpusetMems: host.CpusetMems }),
    // Unlike the others, 0 is said by those who mean it: no limit.
    ...(typeof host.PidsLimit === "number" && { pids: Math.max(host.PidsLimit, 0) }),
    ...(isSet(host.BlkioWeight) && { blkioWeight: host.BlkioWeight }),
    ...(isSet(host.BlkioWeightDevice) && {
      blkioWeightDevice: host.BlkioWeightDevice.map(({ Path: path, Weight: weight }) => ({ path, weight })),
    }),
    ...(isSet(host.BlkioDeviceReadBps) && { readBps: host.BlkioDeviceReadBps.map(rate) }),
    ...(isSet(host.BlkioDeviceWriteBps) && { writeBps: host.BlkioDeviceWriteBps.map(rate) }),
    ...(isSet(host.BlkioDeviceReadIOps) && { readIops: host.BlkioDeviceReadIOps.map(rate) }),
    ...(isSet(host.BlkioDeviceWriteIOps) && { writeIops: host.BlkioDeviceWriteIOps.map(rate) }),
  };
}

/** Fault `invalid` in Docker's words for a policy that is none. */
export function readRestartPolicy(wanted: HostConfig["RestartPolicy"] | undefined): RestartPolicy {
  const { Name: name, MaximumRetryCount: retries } = wanted ?? { Name: "", MaximumRetryCount: 0 };
  if (name !== "on-failure" && retries !== 0) {
    const reason = retries < 0 ? "cannot be negative" : "can only be used with 'on-failure'";
    throw new Fault("invalid", `invalid restart policy: maximum retry count ${reason}`);
  }
  if (retries < 0) throw new Fault("invalid", "invalid restart policy: maximum retry count cannot be negative");
  if (name === "") return { name: "no", maximumRetries: 0 };
  if (name === "no" || name === "always" || name === "unless-stopped" || name === "on-failure") {
    return { name, maximumRetries: retries };
  }
  throw new Fault(
    "invalid",
    `invalid restart policy: unknown policy '${name.slice(0, 100)}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
  );
}

function rate({ Path: path, Rate: perSecond }: ThrottleDevice): DeviceRate {
  return { path, rate: perSecond };
}

function isSet<T>(value: T | null | undefined): value is T {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== 0 && value !== "";
}
