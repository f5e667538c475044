import type { CgroupLimits } from "#host";
import { Fault } from "#core/fault";
import type { Limits } from "../containers.ts";

/** What the machine has to give, and can keep to. */
export interface LimitFacts {
  readonly cgroups: CgroupLimits;
  readonly cpus: number;
}

/**
 * The limits as this machine can keep them: what its kernel lacks is left out, with a warning; what makes no sense is
 * Fault `invalid`. Both are in Docker's words (daemon_unix.go). For `update`, what a request does not name is not looked at.
 */
export function settleLimits<Asked extends Partial<Limits>>(
  asked: Asked,
  facts: LimitFacts,
  purpose: "create" | "update",
): { readonly limits: Asked; readonly warnings: readonly string[] } {
  const { limits, warnings } = discardUnknown(asked, facts.cgroups);
  checkMemory(limits, purpose);
  checkCpu(limits, facts);
  checkCpusets(limits, facts.cgroups);
  checkBlockIo(limits);
  if (limits.oomKillDisable === true && (limits.memoryBytes ?? 0) === 0 && purpose === "create") {
    warnings.push(
      "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
    );
  }
  return { limits, warnings };
}

/** As Docker has it, a limit on memory alone allows as much swap again. */
export function withDefaultSwap(limits: Limits): Limits {
  const { memoryBytes, memorySwapBytes } = limits;
  return memoryBytes > 0 && memorySwapBytes === 0 ? { ...limits, memorySwapBytes: memoryBytes * 2 } : limits;
}

/** The numbers of `0-3,5`; undefined when it is no such list. */
export function parseNumberList(text: string): ReadonlySet<number> | undefined {
  const numbers = new Set<number>();
  for (const part of text === "" ? [] : text.split(",")) {
    const [, first, last = first] = /^([0-9]{1,4})(?:-([0-9]{1,4}))?$/.exec(part) ?? [];
    if (first === undefined || Number(last) < Number(first) || Number(last) > mostNumbered) return undefined;
    for (let number = Number(first); number <= Number(last); number++) numbers.add(number);
  }
  return numbers;
}

/** As Docker bounds it: a list is never larger than the kernel's own. */
const mostNumbered = 8192;
const leastMemoryBytes = 6 * 1024 * 1024;

interface Capability {
  readonly has: boolean;
  readonly asks: boolean;
  readonly warning: string;
  /** What takes the place of what was asked for. */
  readonly instead: Partial<Limits>;
}

function discardUnknown<Asked extends Partial<Limits>>(
  asked: Asked,
  cgroups: CgroupLimits,
): { limits: Asked; warnings: string[] } {
  const needs = [...memoryNeeds(asked, cgroups), ...cpuNeeds(asked, cgroups), ...blockIoNeeds(asked, cgroups)];
  const lacking = needs.filter((need) => need.asks && !need.has);
  const limits = Object.assign({}, asked, ...lacking.map(({ instead }) => instead)) as Asked;
  return { limits, warnings: lacking.map(({ warning }) => warning) };
}

function memoryNeeds(asked: Partial<Limits>, cgroups: CgroupLimits): Capability[] {
  const { memoryBytes = 0, memorySwapBytes = 0, memoryReservationBytes = 0, pids = 0 } = asked;
  return [
    {
      has: cgroups.memory,
      asks: memoryBytes > 0,
      warning: `${lacks("memory limit capabilities")} Limitation discarded.`,
      instead: { memoryBytes: 0, memorySwapBytes: 0 },
    },
    {
      has: cgroups.swap || !cgroups.memory,
      asks: memoryBytes > 0 && memorySwapBytes !== -1,
      warning: `${lacks("swap limit capabilities")} Memory limited without swap.`,
      instead: { memorySwapBytes: -1 },
    },
    {
      has: cgroups.swappiness,
      asks: asked.memorySwappiness !== undefined,
      warning: `${lacks("memory swappiness capabilities")} Memory swappiness discarded.`,
      instead: { memorySwappiness: undefined },
    },
    {
      has: cgroups.memoryReservation,
      asks: memoryReservationBytes > 0,
      warning: `${lacks("memory soft limit capabilities")} Limitation discarded.`,
      instead: { memoryReservationBytes: 0 },
    },
    {
      has: cgroups.oomKillDisable,
      asks: asked.oomKillDisable === true,
      warning: "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
      instead: { oomKillDisable: false },
    },
    {
      has: cgroups.pids,
      asks: pids > 0,
      warning: `${lacks("PIDs limit capabilities")} PIDs limit discarded.`,
      instead: { pids: 0 },
    },
  ];
}

function cpuNeeds(asked: Partial<Limits>, cgroups: CgroupLimits): Capability[] {
  const { cpuShares = 0, cpuPeriod = 0, cpuQuota = 0, cpusetCpus = "", cpusetMems = "" } = asked;
  return [
    {
      has: cgroups.cpuShares,
      asks: cpuShares > 0,
      warning: `${lacks("CPU shares")} Shares discarded.`,
      instead: { cpuShares: 0 },
    },
    {
      has: cgroups.cpuQuota,
      asks: cpuPeriod !== 0 || cpuQuota !== 0,
      warning: "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.",
      instead: { cpuPeriod: 0, cpuQuota: 0 },
    },
    {
      has: cgroups.cpuset,
      asks: cpusetCpus !== "" || cpusetMems !== "",
      warning: `${lacks("cpuset")} Cpuset discarded.`,
      instead: { cpusetCpus: "", cpusetMems: "" },
    },
  ];
}

function blockIoNeeds(asked: Partial<Limits>, cgroups: CgroupLimits): Capability[] {
  const { blkioWeight = 0, blkioWeightDevice = [], readBps = [], writeBps = [], readIops = [], writeIops = [] } = asked;
  return [
    {
      has: cgroups.blkioWeight,
      asks: blkioWeight > 0,
      warning: `${lacks("Block I/O weight")} Weight discarded.`,
      instead: { blkioWeight: 0 },
    },
    {
      has: cgroups.blkioWeightDevice,
      asks: blkioWeightDevice.length > 0,
      warning: `${lacks("Block I/O weight_device")} Weight-device discarded.`,
      instead: { blkioWeightDevice: [] },
    },
    {
      has: cgroups.readBps,
      asks: readBps.length > 0,
      warning: `${lacks("BPS Block I/O read limit")} Block I/O BPS read limit discarded.`,
      instead: { readBps: [] },
    },
    {
      has: cgroups.writeBps,
      asks: writeBps.length > 0,
      warning: `${lacks("BPS Block I/O write limit")} Block I/O BPS write limit discarded.`,
      instead: { writeBps: [] },
    },
    {
      has: cgroups.readIops,
      asks: readIops.length > 0,
      warning: `${lacks("IOPS Block read limit")} Block I/O IOPS read limit discarded.`,
      instead: { readIops: [] },
    },
    {
      has: cgroups.writeIops,
      asks: writeIops.length > 0,
      warning: `${lacks("IOPS Block write limit")} Block I/O IOPS write limit discarded.`,
      instead: { writeIops: [] },
    },
  ];
}

/** Fault `invalid` in Docker's words. */
export function checkMemory(limits: Partial<Limits>, purpose: "create" | "update"): void {
  const { memoryBytes = 0, memorySwapBytes = 0, memoryReservationBytes = 0, memorySwappiness = 0 } = limits;
  if (memoryBytes !== 0 && memoryBytes < leastMemoryBytes) refuse("Minimum memory limit allowed is 6MB");
  if (memoryBytes > 0 && memorySwapBytes > 0 && memorySwapBytes < memoryBytes) {
    refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (memoryBytes === 0 && memorySwapBytes > 0 && purpose === "create") {
    refuse("You should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (memorySwapBytes < -1) refuse(`Invalid value: ${memorySwapBytes}, valid memoryswap is -1 or a number of bytes`);
  if (memorySwappiness < 0 || memorySwappiness > 100) {
    refuse(`Invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`);
  }
  if (memoryReservationBytes !== 0 && memoryReservationBytes < leastMemoryBytes) {
    refuse("Minimum memory reservation allowed is 6MB");
  }
  if (memoryBytes > 0 && memoryReservationBytes > 0 && memoryBytes < memoryReservationBytes) {
    refuse("Minimum memory limit can not be less than memory reservation limit, see usage");
  }
}

function checkCpu(limits: Partial<Limits>, { cgroups, cpus }: LimitFacts): void {
  const { nanoCpus = 0, cpuPeriod = 0, cpuQuota = 0, cpuShares = 0 } = limits;
  const { cpuRealtimePeriod = 0, cpuRealtimeRuntime = 0 } = limits;
  if (nanoCpus > 0 && cpuPeriod > 0) refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  if (nanoCpus > 0 && cpuQuota > 0) refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  if (nanoCpus > 0 && !cgroups.cpuQuota) {
    refuse(
      "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted",
      "Run `slipway doctor` for how to mount it.",
    );
  }
  if (nanoCpus < 0 || nanoCpus > cpus * 1e9 || (nanoCpus > 0 && nanoCpus < 1e7)) {
    refuse(`range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  }
  // runc's words: Docker leaves this one to it.
  if (cpuShares !== 0 && cpuShares < 2) refuse("the minimum allowed cpu-shares is 2");
  if (cpuShares > 262_144) refuse("the maximum allowed cpu-shares is 262144");
  if (cpuPeriod !== 0 && (cpuPeriod < 1000 || cpuPeriod > 1_000_000)) {
    refuse("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  }
  if (cpuQuota > 0 && cpuQuota < 1000) refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  if ((cpuRealtimePeriod !== 0 || cpuRealtimeRuntime !== 0) && !cgroups.cpuRealtime) {
    refuse("your kernel does not support CPU real-time scheduler");
  }
  if (cpuRealtimePeriod < 0 || cpuRealtimeRuntime < 0) refuse("cpu real-time period and runtime cannot be negative");
  if (cpuRealtimePeriod !== 0 && cpuRealtimeRuntime > cpuRealtimePeriod) {
    refuse("cpu real-time runtime cannot be higher than cpu real-time period");
  }
}

function checkCpusets({ cpusetCpus = "", cpusetMems = "" }: Partial<Limits>, cgroups: CgroupLimits): void {
  checkList("cpuset cpus", "CPUs", cpusetCpus, cgroups.cpus);
  checkList("cpuset mems", "memory nodes", cpusetMems, cgroups.memoryNodes);
}

function checkList(name: string, things: string, wanted: string, available: string): void {
  const shown = wanted.slice(0, 100);
  const numbers = parseNumberList(wanted);
  if (numbers === undefined) return refuse(`Invalid value ${shown} for ${name}: invalid format: ${shown}`);
  const present = parseNumberList(available);
  if (present === undefined || present.size === 0 || numbers.isSubsetOf(present)) return undefined;
  return refuse(`Requested ${things} are not available - requested ${shown}, available: ${available}`);
}

function checkBlockIo(limits: Partial<Limits>): void {
  const { blkioWeight = 0 } = limits;
  if (blkioWeight !== 0 && (blkioWeight < 10 || blkioWeight > 1000)) refuse("Range of blkio weight is from 10 to 1000");
  for (const { path, weight } of limits.blkioWeightDevice ?? []) {
    if (weight !== 0 && (weight < 10 || weight > 1000)) refuse(`invalid weight for device: ${path}:${weight}`);
  }
  for (const rates of [limits.readBps, limits.writeBps, limits.readIops, limits.writeIops]) {
    for (const { path, rate } of rates ?? []) if (rate < 0) refuse(`invalid rate for device: ${path}:${rate}`);
  }
}

function lacks(what: string): string {
  return `Your kernel does not support ${what} or the cgroup is not mounted.`;
}

function refuse(message: string, remedy?: string): never {
  throw new Fault("invalid", message, remedy === undefined ? {} : { remedy });
}
