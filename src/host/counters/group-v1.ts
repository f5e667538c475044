import { type BlockIoCounters, type CounterFile, type GroupCounters, parseCount, parseFlat } from "./counters.ts";

/** The kernel's clock in what it shows to programs, on every architecture: USER_HZ. */
const nsPerTick = 10_000_000n;
/** Limits are counted in pages: none is the largest number of whole ones. */
const noLimitBytes = 0x7fff_ffff_ffff_0000;

/** Reads the counters of cgroup v1 (Documentation/admin-guide/cgroup-v1/); files that only repeat what others say are left alone. */
export function readGroupV1(file: CounterFile): GroupCounters {
  const ticks = parseFlat(file("cpuacct", "cpuacct.stat"));
  const throttling = parseFlat(file("cpu", "cpu.stat"));
  const perCpuNs = words(file("cpuacct", "cpuacct.usage_percpu")).map(BigInt);
  const memory = parseFlat(file("memory", "memory.stat"));
  const limitBytes = memory["hierarchical_memory_limit"] ?? 0;
  return {
    cpu: {
      totalNs: perCpuNs.reduce((sum, each) => sum + each, 0n),
      userNs: BigInt(ticks["user"] ?? 0) * nsPerTick,
      systemNs: BigInt(ticks["system"] ?? 0) * nsPerTick,
      perCpuNs,
      periods: throttling["nr_periods"] ?? 0,
      throttledPeriods: throttling["nr_throttled"] ?? 0,
      throttledNs: BigInt(throttling["throttled_time"] ?? 0),
    },
    memory: {
      usageBytes: parseCount(file("memory", "memory.usage_in_bytes")),
      maxUsageBytes: parseCount(file("memory", "memory.max_usage_in_bytes")),
      limitBytes: limitBytes === 0 || limitBytes >= noLimitBytes ? Infinity : limitBytes,
      failures: parseCount(file("memory", "memory.failcnt")),
      counters: memory,
    },
    pids: {
      current: parseCount(file("pids", "pids.current")),
      limit: Number(/^\d+/.exec(file("pids", "pids.max"))?.[0] ?? 0),
    },
    blockIo: readBlockIo(
      file("blkio", "blkio.throttle.io_service_bytes_recursive"),
      file("blkio", "blkio.throttle.io_serviced_recursive"),
    ),
  };
}

/** Lines `8:0 Read 4096`; the last line is the total of all devices. */
function readBlockIo(bytesText: string, operationsText: string): BlockIoCounters[] {
  const operations = parseFlat(operationsText);
  return Object.entries(parseFlat(bytesText)).flatMap(([key, bytes]) => {
    const [device = "", op] = key.split(" ");
    const [major, minor] = device.split(":").map(Number);
    if (major === undefined || minor === undefined || op === undefined) return [];
    return [{ major, minor, op, bytes, operations: operations[key] ?? 0 }];
  });
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
