import type { Cgroups } from "#host";
import { Fault } from "#core/fault";
import type { ContainerSpec, ContainerUpdate, Limits } from "../containers.ts";
import { checkMemory, withDefaultSwap } from "./limits.ts";
import { type BlockDevices, runtimeLimits } from "./resources.ts";
import type { RuntimeResources } from "./runtime-spec.ts";

/** What the container is asked for after an update. Faults in Docker's words: `conflict` with what it has, `invalid`. */
export function updatedSpec(spec: ContainerSpec, { limits: wanted, restart }: ContainerUpdate): ContainerSpec {
  const { limits: has } = spec;
  const { nanoCpus = 0, cpuPeriod = 0, cpuQuota = 0, memoryBytes = 0, memorySwapBytes = 0 } = wanted;
  const conflicts: [boolean, string][] = [
    [
      nanoCpus > 0 && has.cpuPeriod > 0,
      "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
    ],
    [
      nanoCpus > 0 && has.cpuQuota > 0,
      "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
    ],
    [
      cpuPeriod > 0 && has.nanoCpus > 0,
      "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
    ],
    [
      cpuQuota > 0 && has.nanoCpus > 0,
      "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
    ],
    [
      has.memorySwapBytes > 0 && memoryBytes > has.memorySwapBytes && memorySwapBytes === 0,
      "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
    ],
    [
      restart !== undefined && restart.name !== "no" && spec.autoRemove,
      "Restart policy cannot be updated because AutoRemove is enabled for the container",
    ],
  ];
  const conflict = conflicts.find(([applies]) => applies);
  if (conflict !== undefined) throw new Fault("conflict", conflict[1]);
  // A quota of −1 takes the limit on CPUs away however it was set.
  const cpus = cpuQuota < 0 ? { nanoCpus: 0, cpuQuota: 0 } : {};
  const limits = withDefaultSwap({ ...has, ...wanted, ...cpus });
  checkMemory(limits, "create");
  return { ...spec, limits, ...(restart !== undefined && { restart }) };
}

/** What the plan depends on. */
type Kernel = Pick<Cgroups, "version" | "limits">;

/** How a running container's group gets from some limits to others. */
export interface UpdatePlan {
  /** Empty: nothing changes. */
  readonly resources: Partial<RuntimeResources>;
  /** What no runtime's document can say of crun 1.8: it takes no −1 there. */
  readonly lifts: readonly ("cpuQuota" | "pids")[];
}

/** What to tell the runtime, and what to lift beside it; from the new limits to the old ones it is the way back. */
export function planUpdate(
  from: Limits,
  to: Limits,
  { version, limits: kernel }: Kernel,
  blockDevices: BlockDevices,
): UpdatePlan {
  const changed = (...names: readonly (keyof Limits)[]): boolean =>
    names.some((name) => JSON.stringify(from[name]) !== JSON.stringify(to[name]));
  const all = runtimeLimits(to, blockDevices);
  const memory = memoryChanges(to, { version, limits: kernel }, changed);
  const lifts = [
    ...(changed("nanoCpus", "cpuQuota", "cpuPeriod") && all.cpu?.quota === undefined ? (["cpuQuota"] as const) : []),
    ...(changed("pids") && all.pids === undefined ? (["pids"] as const) : []),
  ];
  const cpu = {
    ...(changed("cpuShares") && { shares: all.cpu?.shares ?? usualShares }),
    ...(changed("nanoCpus", "cpuQuota", "cpuPeriod") && {
      ...(all.cpu?.quota !== undefined && { quota: all.cpu.quota }),
      period: all.cpu?.period ?? usualPeriod,
    }),
    ...(changed("cpuRealtimePeriod", "cpuRealtimeRuntime") && {
      realtimePeriod: all.cpu?.realtimePeriod ?? usualRealtimePeriod,
      realtimeRuntime: all.cpu?.realtimeRuntime ?? 0,
    }),
    ...(changed("cpusetCpus") && { cpus: all.cpu?.cpus ?? kernel.cpus }),
    ...(changed("cpusetMems") && { mems: all.cpu?.mems ?? kernel.memoryNodes }),
  };
  const blockIo = changed("blkioWeight", "blkioWeightDevice", "readBps", "writeBps", "readIops", "writeIops");
  return {
    resources: {
      ...(Object.keys(memory).length > 0 && { memory }),
      ...(Object.keys(cpu).length > 0 && { cpu }),
      ...(changed("pids") && all.pids !== undefined && { pids: all.pids }),
      ...(blockIo && all.blockIO !== undefined && { blockIO: all.blockIO }),
    },
    lifts,
  };
}

/** The document for a runtime that takes −1, which then remembers it too. */
export function liftingResources({ resources, lifts }: UpdatePlan): Partial<RuntimeResources> {
  return {
    ...resources,
    ...(lifts.includes("cpuQuota") && { cpu: { ...resources.cpu, quota: -1 } }),
    ...(lifts.includes("pids") && { pids: { limit: -1 } }),
  };
}

/** The kernel's own values, for what is not limited any more. */
const usualShares = 1024;
const usualPeriod = 100_000;
const usualRealtimePeriod = 1_000_000;
const usualSwappiness = 60;

function memoryChanges(
  to: Limits,
  { version, limits: kernel }: Kernel,
  changed: (...names: readonly (keyof Limits)[]) => boolean,
): NonNullable<RuntimeResources["memory"]> {
  return {
    // Both together: either may have to move first.
    ...(changed("memoryBytes", "memorySwapBytes") && {
      limit: to.memoryBytes > 0 ? to.memoryBytes : -1,
      ...(kernel.swap && { swap: to.memorySwapBytes > 0 ? to.memorySwapBytes : -1 }),
    }),
    ...(changed("memoryReservationBytes") && {
      // v2's memory.low protects: none is 0, and not the most.
      reservation: to.memoryReservationBytes > 0 ? to.memoryReservationBytes : version === 1 ? -1 : 0,
    }),
    ...(changed("memorySwappiness") && { swappiness: to.memorySwappiness ?? usualSwappiness }),
    ...(changed("oomKillDisable") && { disableOOMKiller: to.oomKillDisable }),
  };
}
