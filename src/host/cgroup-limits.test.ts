import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { machineFiles, readCgroupLimits } from "./cgroup-limits.ts";
import { machineCgroupLayout, readCgroupLayout } from "./cgroups.ts";
import type { CgroupLimits } from "./host.ts";

interface Golden {
  readonly mountinfo: readonly string[];
  readonly texts: Readonly<Record<string, string>>;
  readonly folders: Readonly<Record<string, readonly string[]>>;
}

function limitsOf(name: string, change: Partial<Golden> = {}): CgroupLimits {
  const path = join(import.meta.dirname, "golden", `${name}.json`);
  const golden: Golden = { ...(JSON.parse(readFileSync(path, "utf8")) as Golden), ...change };
  const read = (file: string): string | undefined => golden.texts[file];
  const layout = readCgroupLayout(
    golden.mountinfo.join("\n"),
    (mount) => read(join(mount, "cgroup.controllers")) ?? "",
  );
  return readCgroupLimits(layout, { read, list: (folder) => golden.folders[folder] ?? [] });
}

const rates = { readBps: true, writeBps: true, readIops: true, writeIops: true };
const common = { memory: true, memoryReservation: true, cpuShares: true, cpuQuota: true, cpuset: true, pids: true };

test("readCgroupLimits: hybrid, a new kernel's v1 without weights", () => {
  assert.deepEqual(limitsOf("cgroup-hybrid"), {
    ...common,
    ...rates,
    swap: true,
    swappiness: true,
    oomKillDisable: true,
    cpuRealtime: true,
    blkioWeight: false,
    blkioWeightDevice: false,
    cpus: "0-1",
    memoryNodes: "0",
  });
});

test("readCgroupLimits: v1 with weights, without swap accounting and real-time groups", () => {
  assert.deepEqual(limitsOf("cgroup-v1"), {
    ...common,
    ...rates,
    swap: false,
    swappiness: true,
    oomKillDisable: true,
    cpuRealtime: false,
    blkioWeight: true,
    blkioWeightDevice: true,
    cpus: "0-7",
    memoryNodes: "0-1",
  });
});

test("readCgroupLimits: v2, where groups tell of swap and weights", () => {
  const expected: CgroupLimits = {
    ...common,
    ...rates,
    swap: true,
    swappiness: false,
    oomKillDisable: false,
    cpuRealtime: false,
    blkioWeight: false,
    blkioWeightDevice: false,
    cpus: "0-3",
    memoryNodes: "0",
  };
  assert.deepEqual(limitsOf("cgroup-v2"), expected);
  // Where no group has a controller yet, none can tell: as Docker does, it is taken to be there.
  const untold = limitsOf("cgroup-v2", { folders: {} });
  assert.deepEqual(untold, { ...expected, blkioWeight: true, blkioWeightDevice: true });
  const without = limitsOf("cgroup-v2", { texts: { "/sys/fs/cgroup/cgroup.controllers": "cpu pids\n" } });
  assert.deepEqual(
    [without.memory, without.swap, without.cpuset, without.readBps, without.cpuQuota, without.pids],
    [false, false, false, false, true, true],
  );
});

test("readCgroupLimits: of this machine, what its files say", () => {
  const layout = machineCgroupLayout();
  const limits = readCgroupLimits(layout, machineFiles);
  const memory = layout.mounts.get("memory") ?? "/nowhere";
  const file = layout.version === 1 ? "memory.limit_in_bytes" : "memory.stat";
  assert.equal(limits.memory, existsSync(join(memory, file)));
});
