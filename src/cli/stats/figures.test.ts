import assert from "node:assert/strict";
import { test } from "node:test";
import type { StatsAnswer } from "#api/client";
import { figuresOf } from "./figures.ts";

const throttling = { periods: 0, throttled_periods: 0, throttled_time: 0 };
const none = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: throttling,
};

function sample(more: Partial<StatsAnswer>): StatsAnswer {
  const others = ["io_serviced", "io_queue", "io_service_time", "io_wait_time", "io_merged", "io_time", "sectors"];
  const noBlockIo = Object.fromEntries(["io_service_bytes", ...others].map((name) => [`${name}_recursive`, null]));
  return {
    name: "/web",
    id: "ab".repeat(32),
    read: "2026-01-01T00:00:01Z",
    preread: "2026-01-01T00:00:00Z",
    pids_stats: {},
    blkio_stats: noBlockIo as unknown as StatsAnswer["blkio_stats"],
    num_procs: 0,
    storage_stats: {},
    cpu_stats: none,
    precpu_stats: none,
    memory_stats: {},
    ...more,
  };
}

const cpu = (total: number, system: number, online?: number): StatsAnswer["cpu_stats"] => ({
  cpu_usage: { total_usage: total, usage_in_kernelmode: 0, usage_in_usermode: 0, percpu_usage: [1, 2] },
  system_cpu_usage: system,
  throttling_data: throttling,
  ...(online !== undefined && { online_cpus: online }),
});

test("figuresOf: processor time of one processor, from two readings", () => {
  const busy = sample({ cpu_stats: cpu(1500, 20_000, 4), precpu_stats: cpu(500, 16_000, 4) });
  assert.equal(figuresOf(busy).cpuPercent, 100);
  const older = sample({ cpu_stats: cpu(1500, 20_000), precpu_stats: cpu(500, 16_000) });
  assert.equal(figuresOf(older).cpuPercent, 50);
  assert.equal(figuresOf(sample({ cpu_stats: cpu(1500, 20_000, 4) })).cpuPercent, undefined);
  assert.equal(figuresOf(sample({})).cpuPercent, 0);
});

test("figuresOf: memory without inactive file pages, by either version's name", () => {
  const v1 = { usage: 1000, limit: 4000, stats: { total_inactive_file: 200, inactive_file: 100 } };
  assert.deepEqual(
    [figuresOf(sample({ memory_stats: v1 })).memory, figuresOf(sample({ memory_stats: v1 })).memoryPercent],
    [800, 20],
  );
  const v2 = { usage: 1000, limit: 4000, stats: { inactive_file: 100 } };
  assert.equal(figuresOf(sample({ memory_stats: v2 })).memory, 900);
  assert.equal(figuresOf(sample({ memory_stats: { ...v2, stats: { inactive_file: 1001 } } })).memory, 1000);
});

test("figuresOf: traffic of all interfaces and devices, whatever the case of the operation", () => {
  const one = {
    rx_bytes: 5,
    tx_bytes: 7,
    rx_packets: 0,
    tx_packets: 0,
    rx_errors: 0,
    tx_errors: 0,
    rx_dropped: 0,
    tx_dropped: 0,
  };
  const operations = ["Read", "write", "Total", "read", "Write", "Sync"];
  const { blkio_stats } = sample({});
  const entries = operations.map((op, index) => ({ major: 8, minor: 0, op, value: 10 ** index }));
  const figures = figuresOf(
    sample({
      networks: { eth0: one, eth1: one },
      blkio_stats: { ...blkio_stats, io_service_bytes_recursive: entries },
    }),
  );
  assert.deepEqual([figures.received, figures.sent, figures.read, figures.written], [10, 14, 1001, 10_010]);
});
