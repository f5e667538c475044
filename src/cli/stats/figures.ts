import type { BlockIoEntry, MemoryStats, StatsAnswer } from "#api/client";

/** What a row of `stats` shows of one reading. Sizes in bytes. */
export interface Figures {
  readonly id: string;
  readonly name: string;
  /** Of one processor; absent while there is no earlier reading to compare with. */
  readonly cpuPercent?: number;
  readonly memory: number;
  readonly memoryLimit: number;
  readonly memoryPercent: number;
  readonly received: number;
  readonly sent: number;
  readonly read: number;
  readonly written: number;
  readonly pids: number;
}

/** Computed as the docker CLI computes them. */
export function figuresOf(sample: StatsAnswer): Figures {
  const memory = usedMemory(sample.memory_stats);
  const memoryLimit = sample.memory_stats.limit ?? 0;
  const interfaces = Object.values(sample.networks ?? {});
  const blockIo = sample.blkio_stats?.io_service_bytes_recursive ?? [];
  const cpuPercent = cpuPercentOf(sample);
  return {
    id: sample.id,
    name: sample.name.replace(/^\//, ""),
    ...(cpuPercent !== undefined && { cpuPercent }),
    memory,
    memoryLimit,
    memoryPercent: memoryLimit === 0 ? 0 : (memory / memoryLimit) * 100,
    received: sum(interfaces.map((one) => one.rx_bytes)),
    sent: sum(interfaces.map((one) => one.tx_bytes)),
    read: bytesOf(blockIo, "r"),
    written: bytesOf(blockIo, "w"),
    pids: sample.pids_stats.current ?? 0,
  };
}

function cpuPercentOf({ cpu_stats: now, precpu_stats: before }: StatsAnswer): number | undefined {
  // One that does not run has no machine time; one that was read for the first time has none before.
  if (now.system_cpu_usage === undefined) return 0;
  if (before.system_cpu_usage === undefined) return undefined;
  const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const passed = now.system_cpu_usage - before.system_cpu_usage;
  const cpus = now.online_cpus ?? now.cpu_usage.percpu_usage?.length ?? 0;
  return used > 0 && passed > 0 ? (used / passed) * cpus * 100 : 0;
}

/** Without the files that the kernel would give back first: cgroup v1 and v2 have their own names for them. */
function usedMemory({ usage = 0, stats = {} }: MemoryStats): number {
  const cache = stats["total_inactive_file"] ?? stats["inactive_file"] ?? 0;
  return cache < usage ? usage - cache : usage;
}

function bytesOf(entries: readonly BlockIoEntry[], letter: string): number {
  return sum(entries.filter(({ op }) => op[0]?.toLowerCase() === letter).map(({ value }) => value));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
