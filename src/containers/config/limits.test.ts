import assert from "node:assert/strict";
import { test } from "node:test";
import type { CgroupLimits } from "#host";
import { isFault } from "#core/fault";
import type { Limits } from "../containers.ts";
import { noLimits } from "./blank-spec.ts";
import { parseNumberList, settleLimits, withDefaultSwap } from "./limits.ts";

const everything: CgroupLimits = {
  memory: true,
  swap: true,
  memoryReservation: true,
  swappiness: true,
  oomKillDisable: true,
  cpuShares: true,
  cpuQuota: true,
  cpuRealtime: true,
  cpuset: true,
  pids: true,
  blkioWeight: true,
  blkioWeightDevice: true,
  readBps: true,
  writeBps: true,
  readIops: true,
  writeIops: true,
  cpus: "0-3",
  memoryNodes: "0",
};
const facts = { cgroups: everything, cpus: 4 };
const megabyte = 1 << 20;

/** What is refused, in which words; and the nearest that is not. */
const bounds: [wrong: Partial<Limits>, words: string, right: Partial<Limits>][] = [
  [{ memoryBytes: 6 * megabyte - 1 }, "Minimum memory limit allowed is 6MB", { memoryBytes: 6 * megabyte }],
  [{ memoryBytes: -1 }, "Minimum memory limit allowed is 6MB", {}],
  [
    { memoryBytes: 8 * megabyte, memorySwapBytes: 8 * megabyte - 1 },
    "Minimum memoryswap limit should be larger than memory limit, see usage",
    { memoryBytes: 8 * megabyte, memorySwapBytes: 8 * megabyte },
  ],
  [
    { memorySwapBytes: 8 * megabyte },
    "You should always set the Memory limit when using Memoryswap limit, see usage",
    { memorySwapBytes: -1 },
  ],
  [{ memorySwappiness: 101 }, "Invalid value: 101, valid memory swappiness range is 0-100", { memorySwappiness: 100 }],
  [{ memorySwappiness: -2 }, "Invalid value: -2, valid memory swappiness range is 0-100", { memorySwappiness: 0 }],
  [
    { memoryReservationBytes: 6 * megabyte - 1 },
    "Minimum memory reservation allowed is 6MB",
    { memoryReservationBytes: 6 * megabyte },
  ],
  [
    { memoryBytes: 8 * megabyte, memoryReservationBytes: 8 * megabyte + 1 },
    "Minimum memory limit can not be less than memory reservation limit, see usage",
    { memoryBytes: 8 * megabyte, memoryReservationBytes: 8 * megabyte },
  ],
  [
    { nanoCpus: 1e9, cpuPeriod: 100_000 },
    "Conflicting options: Nano CPUs and CPU Period cannot both be set",
    { nanoCpus: 1e9 },
  ],
  [{ nanoCpus: 1e9, cpuQuota: 10_000 }, "Conflicting options: Nano CPUs and CPU Quota cannot both be set", {}],
  [{ nanoCpus: 4e9 + 1 }, "range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available", { nanoCpus: 4e9 }],
  [{ nanoCpus: 1e7 - 1 }, "range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available", { nanoCpus: 1e7 }],
  [{ nanoCpus: -1 }, "range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available", {}],
  [{ cpuShares: 1 }, "the minimum allowed cpu-shares is 2", { cpuShares: 2 }],
  [{ cpuShares: 262_145 }, "the maximum allowed cpu-shares is 262144", { cpuShares: 262_144 }],
  [
    { cpuPeriod: 999 },
    "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    { cpuPeriod: 1000 },
  ],
  [
    { cpuPeriod: 1_000_001 },
    "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    { cpuPeriod: 1_000_000 },
  ],
  [{ cpuQuota: 999 }, "CPU cfs quota can not be less than 1ms (i.e. 1000)", { cpuQuota: 1000 }],
  [
    { cpuRealtimePeriod: 100, cpuRealtimeRuntime: 101 },
    "cpu real-time runtime cannot be higher than cpu real-time period",
    { cpuRealtimePeriod: 100, cpuRealtimeRuntime: 100 },
  ],
  [{ cpusetCpus: "0-4" }, "Requested CPUs are not available - requested 0-4, available: 0-3", { cpusetCpus: "0,2-3" }],
  [{ cpusetCpus: "3-1" }, "Invalid value 3-1 for cpuset cpus: invalid format: 3-1", { cpusetCpus: "3-3" }],
  [{ cpusetMems: "1" }, "Requested memory nodes are not available - requested 1, available: 0", { cpusetMems: "0" }],
  [{ blkioWeight: 9 }, "Range of blkio weight is from 10 to 1000", { blkioWeight: 10 }],
  [{ blkioWeight: 1001 }, "Range of blkio weight is from 10 to 1000", { blkioWeight: 1000 }],
  [
    { blkioWeightDevice: [{ path: "/dev/x", weight: 9 }] },
    "invalid weight for device: /dev/x:9",
    { blkioWeightDevice: [{ path: "/dev/x", weight: 10 }] },
  ],
  [
    { readBps: [{ path: "/dev/x", rate: -1 }] },
    "invalid rate for device: /dev/x:-1",
    { readBps: [{ path: "/dev/x", rate: 0 }] },
  ],
];

for (const [wrong, words, right] of bounds) {
  test(`settleLimits: ${JSON.stringify(wrong)} is refused, ${JSON.stringify(right)} is not`, () => {
    const settle = (asked: Partial<Limits>) => settleLimits({ ...noLimits, ...asked }, facts, "create");
    assert.throws(
      () => settle(wrong),
      (error) => isFault(error, "invalid") && error.message === words,
    );
    assert.deepEqual(settle(right), { limits: { ...noLimits, ...right }, warnings: [] });
  });
}

test("settleLimits: what the kernel lacks is left out, with Docker's warning", () => {
  const rate = [{ path: "/dev/x", rate: 1 }];
  const asked: Limits = {
    ...noLimits,
    memoryBytes: 8 * megabyte,
    memorySwappiness: 3,
    memoryReservationBytes: 7 * megabyte,
    oomKillDisable: true,
    pids: 5,
    cpuShares: 5,
    cpuQuota: 5000,
    cpusetCpus: "0",
    blkioWeight: 100,
    blkioWeightDevice: [{ path: "/dev/x", weight: 100 }],
    readBps: rate,
    writeBps: rate,
    readIops: rate,
    writeIops: rate,
  };
  const nothing = Object.fromEntries(Object.keys(everything).map((name) => [name, false])) as unknown as CgroupLimits;
  const { limits, warnings } = settleLimits(
    asked,
    { cgroups: { ...nothing, cpus: "", memoryNodes: "" }, cpus: 4 },
    "create",
  );
  assert.deepEqual(limits, { ...noLimits, memorySwappiness: undefined });
  assert.equal(warnings.length, 14);
  assert.equal(
    warnings[0],
    "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.",
  );
  for (const warning of warnings) assert.match(warning, /^Your kernel does not support .* discarded\.$/);
});

test("settleLimits: without swap accounting memory is limited alone, and NanoCPUs need the CFS scheduler", () => {
  const { limits, warnings } = settleLimits(
    { ...noLimits, memoryBytes: 8 * megabyte },
    { ...facts, cgroups: { ...everything, swap: false } },
    "create",
  );
  assert.equal(limits.memorySwapBytes, -1);
  assert.deepEqual(warnings, [
    "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.",
  ]);
  assert.throws(
    () => settleLimits({ nanoCpus: 1e9 }, { ...facts, cgroups: { ...everything, cpuQuota: false } }, "update"),
    /NanoCPUs can not be set/,
  );
  assert.throws(
    () =>
      settleLimits({ cpuRealtimeRuntime: 5 }, { ...facts, cgroups: { ...everything, cpuRealtime: false } }, "create"),
    /^Fault: your kernel does not support CPU real-time scheduler$/,
  );
});

test("settleLimits: warns of a container that nobody may kill for memory without a limit", () => {
  assert.match(
    settleLimits({ ...noLimits, oomKillDisable: true }, facts, "create").warnings[0] ?? "",
    /^OOM killer is disabled for the container, but no memory limit is set/,
  );
});

test("settleLimits: an update may name swap alone, as the memory limit is there already", () => {
  assert.deepEqual(settleLimits({ memorySwapBytes: 99 * megabyte }, facts, "update"), {
    limits: { memorySwapBytes: 99 * megabyte },
    warnings: [],
  });
});

test("withDefaultSwap: as much swap again as memory, unless swap is named", () => {
  assert.equal(withDefaultSwap({ ...noLimits, memoryBytes: 10 }).memorySwapBytes, 20);
  assert.equal(withDefaultSwap({ ...noLimits, memoryBytes: 10, memorySwapBytes: -1 }).memorySwapBytes, -1);
  assert.equal(withDefaultSwap(noLimits).memorySwapBytes, 0);
});

test("parseNumberList: numbers and ranges, and nothing else", () => {
  assert.deepEqual([...(parseNumberList("0-2,7") ?? [])], [0, 1, 2, 7]);
  for (const wrong of ["a", "1-", "-1", "1,,2", "0-99999", "2-1"])
    assert.equal(parseNumberList(wrong), undefined, wrong);
});
