import assert from "node:assert/strict";
import { test } from "node:test";
import type { CgroupLimits } from "#host";
import { isFault } from "#core/fault";
import type { ContainerUpdate, Limits } from "../containers.ts";
import { plainSpec } from "../testing/plain-spec.ts";
import { noLimits } from "./blank-spec.ts";
import { liftingResources, planUpdate, updatedSpec } from "./update.ts";

const megabyte = 1 << 20;
const kernel = { version: 1 as const, limits: { swap: true, cpus: "0-1", memoryNodes: "0" } as CgroupLimits };

function after(has: Partial<Limits>, wanted: Partial<Limits>): Limits {
  return updatedSpec({ ...plainSpec, limits: { ...noLimits, ...has } }, { limits: wanted }).limits;
}

test("updatedSpec: what conflicts with what the container has is refused in Docker's words", () => {
  const cases: [Partial<Limits>, Partial<Limits>, RegExp][] = [
    [{ cpuPeriod: 1000 }, { nanoCpus: 1e9 }, /Nano CPUs cannot be updated as CPU Period has already been set/],
    [{ cpuQuota: 1000 }, { nanoCpus: 1e9 }, /Nano CPUs cannot be updated as CPU Quota has already been set/],
    [{ nanoCpus: 1e9 }, { cpuPeriod: 1000 }, /CPU Period cannot be updated as NanoCPUs has already been set/],
    [{ nanoCpus: 1e9 }, { cpuQuota: 1000 }, /CPU Quota cannot be updated as NanoCPUs has already been set/],
    [
      { memoryBytes: 8 * megabyte, memorySwapBytes: 16 * megabyte },
      { memoryBytes: 17 * megabyte },
      /^Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time$/,
    ],
  ];
  for (const [has, wanted, words] of cases) {
    assert.throws(
      () => after(has, wanted),
      (error) => isFault(error, "conflict") && words.test(error.message),
    );
  }
});

test("updatedSpec: swap alone must fit the memory that is there", () => {
  const has = { memoryBytes: 8 * megabyte, memorySwapBytes: 16 * megabyte };
  assert.throws(() => after(has, { memorySwapBytes: 7 * megabyte }), /Minimum memoryswap limit should be larger/);
  assert.throws(() => after({}, { memorySwapBytes: 7 * megabyte }), /You should always set the Memory limit/);
  assert.equal(after(has, { memorySwapBytes: 8 * megabyte }).memorySwapBytes, 8 * megabyte);
  assert.equal(after(has, { memorySwapBytes: -1 }).memorySwapBytes, -1);
});

test("updatedSpec: a first limit on memory brings its swap, as create does", () => {
  assert.equal(after({}, { memoryBytes: 8 * megabyte }).memorySwapBytes, 16 * megabyte);
});

test("updatedSpec: a quota of -1 lifts --cpus too", () => {
  assert.equal(after({ nanoCpus: 1e9 }, { cpuQuota: -1 }).nanoCpus, 0);
});

test("updatedSpec: a restart policy is for containers that stay", () => {
  const change: ContainerUpdate = { limits: {}, restart: { name: "always", maximumRetries: 0 } };
  assert.deepEqual(updatedSpec(plainSpec, change).restart, change.restart);
  assert.throws(
    () => updatedSpec({ ...plainSpec, autoRemove: true }, change),
    /^Fault: Restart policy cannot be updated because AutoRemove is enabled for the container$/,
  );
  updatedSpec({ ...plainSpec, autoRemove: true }, { limits: {}, restart: { name: "no", maximumRetries: 0 } });
});

test("planUpdate: names what changes and no more, and its reverse is the way back", () => {
  const from: Limits = { ...noLimits, cpuShares: 100, pids: 5 };
  const to: Limits = { ...from, memoryBytes: 8, memorySwapBytes: 16, cpuShares: 200, cpusetCpus: "1" };
  assert.deepEqual(planUpdate(from, to, kernel, new Map()), {
    resources: { memory: { limit: 8, swap: 16 }, cpu: { shares: 200, cpus: "1" } },
    lifts: [],
  });
  assert.deepEqual(planUpdate(to, from, kernel, new Map()), {
    resources: { memory: { limit: -1, swap: -1 }, cpu: { shares: 100, cpus: "0-1" } },
    lifts: [],
  });
  assert.deepEqual(planUpdate(to, to, kernel, new Map()), { resources: {}, lifts: [] });
});

test("planUpdate: what is lifted is lifted, with a runtime that takes -1 and beside one that does not", () => {
  const plan = planUpdate({ ...noLimits, nanoCpus: 5e8, pids: 5 }, noLimits, kernel, new Map());
  assert.deepEqual(plan, { resources: { cpu: { period: 100_000 } }, lifts: ["cpuQuota", "pids"] });
  assert.deepEqual(liftingResources(plan), { cpu: { period: 100_000, quota: -1 }, pids: { limit: -1 } });
});

test("planUpdate: no swap where the kernel does not count it; no reservation is 0 on v2", () => {
  const from = { ...noLimits, memoryBytes: 8, memorySwapBytes: -1, memoryReservationBytes: 4 };
  const v2 = { version: 2 as const, limits: { ...kernel.limits, swap: false } };
  assert.deepEqual(planUpdate(from, noLimits, v2, new Map()).resources, { memory: { limit: -1, reservation: 0 } });
  assert.deepEqual(planUpdate(from, noLimits, kernel, new Map()).resources.memory?.reservation, -1);
});
