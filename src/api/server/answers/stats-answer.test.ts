import assert from "node:assert/strict";
import { test } from "node:test";
import type { Usage } from "#containers";
import { statsAnswer } from "./stats-answer.ts";

const usage: Usage = {
  timeNs: 1_700_000_000_123_456_789n,
  cpu: {
    totalNs: 9_007_199_254_740_993n, // past what a double holds
    userNs: 2n,
    systemNs: 1n,
    perCpuNs: [],
    periods: 5,
    throttledPeriods: 4,
    throttledNs: 3n,
    machineNs: 7_000_000_000n,
    onlineCpus: 2,
  },
  memory: {
    usageBytes: 4096,
    maxUsageBytes: 0,
    limitBytes: 8192,
    failures: 0,
    counters: { anon: 1, inactive_file: 2 },
  },
  pids: { current: 3, limit: 0 },
  blockIo: [
    { major: 8, minor: 0, op: "read", bytes: 10, operations: 1 },
    { major: 8, minor: 0, op: "write", bytes: 20, operations: 2 },
  ],
  networks: {},
};

/** As clients get it, with the digits of long numbers. */
function sent(sample: Parameters<typeof statsAnswer>[0], version: 1 | 2): string {
  return JSON.stringify(statsAnswer(sample, version));
}

test("statsAnswer: cgroup v2 as Docker shapes it", () => {
  const text = sent({ id: "abc", name: "web", usage }, 2);
  assert.equal(
    text,
    '{"name":"/web","id":"abc","read":"2023-11-14T22:13:20.123456789Z","preread":"0001-01-01T00:00:00Z",' +
      '"pids_stats":{"current":3,"limit":18446744073709551615},' +
      '"blkio_stats":{"io_service_bytes_recursive":[{"major":8,"minor":0,"op":"read","value":10},{"major":8,"minor":0,"op":"write","value":20}],' +
      '"io_serviced_recursive":null,"io_queue_recursive":null,"io_service_time_recursive":null,"io_wait_time_recursive":null,' +
      '"io_merged_recursive":null,"io_time_recursive":null,"sectors_recursive":null},"num_procs":0,"storage_stats":{},' +
      '"cpu_stats":{"cpu_usage":{"total_usage":9007199254740993,"usage_in_kernelmode":1,"usage_in_usermode":2},' +
      '"system_cpu_usage":7000000000,"online_cpus":2,"throttling_data":{"periods":5,"throttled_periods":4,"throttled_time":3}},' +
      '"precpu_stats":{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,"usage_in_usermode":0},' +
      '"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},' +
      '"memory_stats":{"usage":4096,"stats":{"anon":1,"inactive_file":2},"limit":8192}}',
  );
});

test("statsAnswer: what only cgroup v1 has", () => {
  const v1: Usage = {
    ...usage,
    cpu: { ...usage.cpu, perCpuNs: [1n, 2n] },
    memory: { ...usage.memory, maxUsageBytes: 5000, failures: 6 },
    blockIo: [{ major: 8, minor: 0, op: "Read", bytes: 10, operations: 1 }],
  };
  const answer = statsAnswer({ id: "abc", name: "web", usage: v1, before: usage }, 1);
  assert.match(JSON.stringify(answer.cpu_stats), /"percpu_usage":\[1,2\]/);
  assert.deepEqual([answer.memory_stats.max_usage, answer.memory_stats.failcnt], [5000, 6]);
  assert.deepEqual(answer.pids_stats, { current: 3 });
  assert.deepEqual(answer.blkio_stats.io_serviced_recursive, [{ major: 8, minor: 0, op: "Read", value: 1 }]);
  assert.deepEqual(answer.blkio_stats.io_queue_recursive, []);
  assert.equal(answer.preread, "2023-11-14T22:13:20.123456789Z");
  assert.equal(answer.networks, undefined);
});
