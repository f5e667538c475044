import { type BlockIoCounters, type CounterFile, type GroupCounters, parseCount, parseFlat } from "./counters.ts";

/** Reads the counters of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst). */
export function readGroupV2(file: CounterFile): GroupCounters {
  const cpu = parseFlat(file("cpu", "cpu.stat"));
  const nanoseconds = (name: string): bigint => BigInt(cpu[name] ?? 0) * 1000n;
  return {
    cpu: {
      totalNs: nanoseconds("usage_usec"),
      userNs: nanoseconds("user_usec"),
      systemNs: nanoseconds("system_usec"),
      perCpuNs: [],
      periods: cpu["nr_periods"] ?? 0,
      throttledPeriods: cpu["nr_throttled"] ?? 0,
      throttledNs: nanoseconds("throttled_usec"),
    },
    memory: {
      usageBytes: parseCount(file("memory", "memory.current")),
      maxUsageBytes: 0,
      limitBytes: parseLimit(file("memory", "memory.max")) ?? Infinity,
      failures: parseFlat(file("memory", "memory.events"))["oom"] ?? 0,
      counters: parseFlat(file("memory", "memory.stat")),
    },
    pids: {
      current: parseCount(file("pids", "pids.current")),
      limit: parseLimit(file("pids", "pids.max")) ?? 0,
    },
    blockIo: readBlockIo(file("io", "io.stat")),
  };
}

/** A number, or `max`. */
function parseLimit(text: string): number | undefined {
  return /^\d+/.test(text) ? Number(text) : undefined;
}

/** Lines `8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0`; a device that is only configured has no counters. */
function readBlockIo(text: string): BlockIoCounters[] {
  return text.split("\n").flatMap((line) => {
    const [, major, minor] = /^(\d+):(\d+) .*rbytes=/.exec(line) ?? [];
    if (major === undefined) return [];
    const count = (name: string): number => Number(new RegExp(` ${name}=(\\d+)`).exec(line)?.[1] ?? 0);
    const device = { major: Number(major), minor: Number(minor) };
    return [
      { ...device, op: "read", bytes: count("rbytes"), operations: count("rios") },
      { ...device, op: "write", bytes: count("wbytes"), operations: count("wios") },
    ];
  });
}
