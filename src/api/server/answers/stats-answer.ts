import {
  bareNumber,
  type BlockIoEntry,
  type BlockIoStats,
  type CpuStats,
  type MemoryStats,
  type NetworkStats,
  type StatsAnswer,
} from "#api/wire";
import type { Usage, UsageSample } from "#containers";
import { rfc3339Nano, zeroTime } from "#core/clock";
import type { InterfaceCounters } from "#host";

/** What cgroup v2 has where no limit on processes is set, as Docker shows it. */
const noPidsLimitV2 = bareNumber(0xffff_ffff_ffff_ffffn);

/** A reading as Docker tells it, for JSON.stringify; the two versions of cgroups have their own shapes. */
export function statsAnswer({ id, name, usage, before }: UsageSample, cgroupVersion: 1 | 2): StatsAnswer {
  return {
    name: `/${name}`,
    id,
    read: usage === undefined ? zeroTime : rfc3339Nano(usage.timeNs),
    preread: before === undefined ? zeroTime : rfc3339Nano(before.timeNs),
    pids_stats: usage === undefined ? {} : pidsStats(usage, cgroupVersion),
    blkio_stats: usage === undefined ? noBlockIo : blockIoStats(usage, cgroupVersion),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: usage === undefined ? noCpu : cpuStats(usage),
    precpu_stats: before === undefined ? noCpu : cpuStats(before),
    memory_stats: usage === undefined ? {} : memoryStats(usage),
    ...networkStats(usage?.networks),
  };
}

function pidsStats({ pids }: Usage, cgroupVersion: 1 | 2): StatsAnswer["pids_stats"] {
  const limit = pids.limit === 0 && cgroupVersion === 2 ? noPidsLimitV2 : pids.limit;
  return { ...(pids.current > 0 && { current: pids.current }), ...(limit !== 0 && { limit }) };
}

function cpuStats({ cpu }: Usage): CpuStats {
  return {
    cpu_usage: {
      total_usage: bareNumber(cpu.totalNs),
      ...(cpu.perCpuNs.length > 0 && { percpu_usage: cpu.perCpuNs.map(bareNumber) }),
      usage_in_kernelmode: bareNumber(cpu.systemNs),
      usage_in_usermode: bareNumber(cpu.userNs),
    },
    ...(cpu.machineNs > 0n && { system_cpu_usage: bareNumber(cpu.machineNs) }),
    ...(cpu.onlineCpus > 0 && { online_cpus: cpu.onlineCpus }),
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: bareNumber(cpu.throttledNs),
    },
  };
}

const noCpu: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

function memoryStats({ memory }: Usage): MemoryStats {
  return {
    ...(memory.usageBytes > 0 && { usage: memory.usageBytes }),
    ...(memory.maxUsageBytes > 0 && { max_usage: memory.maxUsageBytes }),
    stats: memory.counters,
    ...(memory.failures > 0 && { failcnt: memory.failures }),
    ...(memory.limitBytes > 0 && { limit: memory.limitBytes }),
  };
}

const noBlockIo: BlockIoStats = {
  io_service_bytes_recursive: null,
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};

function blockIoStats({ blockIo }: Usage, cgroupVersion: 1 | 2): BlockIoStats {
  const entries = (what: "bytes" | "operations"): BlockIoEntry[] =>
    blockIo.map(({ major, minor, op, [what]: value }) => ({ major, minor, op, value }));
  const bytes = entries("bytes");
  if (cgroupVersion === 2) return { ...noBlockIo, io_service_bytes_recursive: bytes.length === 0 ? null : bytes };
  return {
    io_service_bytes_recursive: bytes,
    io_serviced_recursive: entries("operations"),
    io_queue_recursive: [],
    io_service_time_recursive: [],
    io_wait_time_recursive: [],
    io_merged_recursive: [],
    io_time_recursive: [],
    sectors_recursive: [],
  };
}

function networkStats(networks: Usage["networks"]): Pick<StatsAnswer, "networks"> {
  if (networks === undefined || Object.keys(networks).length === 0) return {};
  return { networks: Object.fromEntries(Object.entries(networks).map(([name, one]) => [name, interfaceStats(one)])) };
}

function interfaceStats(counters: InterfaceCounters): NetworkStats {
  return {
    rx_bytes: counters.rxBytes,
    rx_packets: counters.rxPackets,
    rx_errors: counters.rxErrors,
    rx_dropped: counters.rxDropped,
    tx_bytes: counters.txBytes,
    tx_packets: counters.txPackets,
    tx_errors: counters.txErrors,
    tx_dropped: counters.txDropped,
  };
}
