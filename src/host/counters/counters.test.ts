import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { machineCgroupLayout, openCgroups } from "../cgroups.ts";
import type { CounterFile } from "./counters.ts";
import { readGroupV1 } from "./group-v1.ts";
import { readGroupV2 } from "./group-v2.ts";
import { parseNetDev } from "./interfaces.ts";
import { parseMachineTime } from "./machine-time.ts";

/** The files of one group, as a kernel showed them: `== controller/name` before each. */
function golden(name: string): Map<string, string> {
  const text = readFileSync(join(import.meta.dirname, "golden", name), "utf8");
  const parts = text.split(/^== /m).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1)]));
}

function fileOf(files: ReadonlyMap<string, string>): CounterFile {
  return (controller, name) => files.get(`${controller}/${name}`) ?? "";
}

test("readGroupV1: the counters of a real group", () => {
  const { cpu, memory, pids, blockIo } = readGroupV1(fileOf(golden("v1.txt")));
  assert.deepEqual(cpu, {
    totalNs: 305_950_607n,
    userNs: 300_000_000n,
    systemNs: 20_000_000n,
    perCpuNs: [302_957_826n, 2_992_781n],
    periods: 12,
    throttledPeriods: 3,
    throttledNs: 45_000_000n,
  });
  const { counters, ...rest } = memory;
  assert.deepEqual(rest, { usageBytes: 9_179_136, maxUsageBytes: 10_469_376, limitBytes: Infinity, failures: 0 });
  assert.equal(counters["total_inactive_file"], 4_194_304);
  assert.equal(counters["pgfault"], 493);
  assert.deepEqual(pids, { current: 1, limit: 0 });
  const device = { major: 254, minor: 0 };
  assert.deepEqual(blockIo, [
    { ...device, op: "Read", bytes: 12_288, operations: 3 },
    { ...device, op: "Write", bytes: 8_388_608, operations: 8 },
    { ...device, op: "Sync", bytes: 8_388_608, operations: 8 },
    { ...device, op: "Async", bytes: 12_288, operations: 3 },
    { ...device, op: "Discard", bytes: 0, operations: 0 },
    { ...device, op: "Total", bytes: 8_400_896, operations: 11 },
  ]);
});

test("readGroupV1: a limit is one, and files that a kernel does not have count nothing", () => {
  const files = golden("v1.txt").set("pids/pids.max", "100\n");
  const memoryStat = files.get("memory/memory.stat") ?? "";
  files.set("memory/memory.stat", memoryStat.replace(/^(hierarchical_memory_limit) .*$/m, "$1 67108864"));
  assert.equal(readGroupV1(fileOf(files)).memory.limitBytes, 67_108_864);
  assert.equal(readGroupV1(fileOf(files)).pids.limit, 100);
  const nothing = readGroupV1(() => "");
  assert.deepEqual(nothing.blockIo, []);
  assert.equal(nothing.cpu.totalNs, 0n);
  assert.equal(nothing.memory.limitBytes, Infinity);
});

test("readGroupV2: the counters in the kernel's documented form", () => {
  const { cpu, memory, pids, blockIo } = readGroupV2(fileOf(golden("v2.txt")));
  assert.deepEqual(cpu, {
    totalNs: 2_503_201_000n,
    userNs: 1_803_107_000n,
    systemNs: 700_094_000n,
    perCpuNs: [],
    periods: 200,
    throttledPeriods: 17,
    throttledNs: 812_345_000n,
  });
  const { counters, ...rest } = memory;
  assert.deepEqual(rest, { usageBytes: 12_894_208, maxUsageBytes: 0, limitBytes: 134_217_728, failures: 2 });
  assert.equal(counters["inactive_file"], 3_342_336);
  assert.deepEqual(pids, { current: 4, limit: 512 });
  assert.deepEqual(blockIo, [
    { major: 8, minor: 16, op: "read", bytes: 1_459_200, operations: 192 },
    { major: 8, minor: 16, op: "write", bytes: 314_773_504, operations: 353 },
    { major: 8, minor: 0, op: "read", bytes: 90_430_464, operations: 8950 },
    { major: 8, minor: 0, op: "write", bytes: 299_008_000, operations: 1252 },
  ]);
});

test("readGroupV2: without limits", () => {
  const files = golden("v2.txt").set("memory/memory.max", "max\n").set("pids/pids.max", "max\n");
  const { memory, pids } = readGroupV2(fileOf(files));
  assert.equal(memory.limitBytes, Infinity);
  assert.equal(pids.limit, 0);
});

test("parseNetDev: received and sent, by interface", () => {
  const table = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth0:12345678    9012    1    2    0     0          0         0  8765432    2109    3    4    0     0       0          0
`;
  assert.deepEqual(parseNetDev(table)["eth0"], {
    rxBytes: 12_345_678,
    rxPackets: 9012,
    rxErrors: 1,
    rxDropped: 2,
    txBytes: 8_765_432,
    txPackets: 2109,
    txErrors: 3,
    txDropped: 4,
  });
  assert.deepEqual(Object.keys(parseNetDev(table)), ["lo", "eth0"]);
});

test("parseMachineTime: Docker's sum of the seven times, and the processors that are there", () => {
  const text =
    "cpu  34629 1 19038 267821 1546 2 228 261 7 8\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu3 1 2 3 4 5 6 7 8 9 10\nintr 5\n";
  assert.deepEqual(parseMachineTime(text), { totalNs: 3_232_650_000_000n, onlineCpus: 2 });
});

test("countersOf: a real group with a process that works, read again and again until it is gone", async () => {
  const layout = machineCgroupLayout();
  const cgroups = openCgroups(layout, `slipway-test-counters-${process.pid}`);
  const path = cgroups.pathOf("one");
  const mounts = [...new Set(layout.mounts.values())].filter((mount) => !mount.includes("cpuset"));
  for (const mount of mounts) mkdirSync(join(mount, path), { recursive: true });
  const child = spawn("sh", ["-c", "read _; while :; do :; done"], { stdio: ["pipe", "ignore", "ignore"] });
  try {
    for (const mount of mounts) writeFileSync(join(mount, path, "cgroup.procs"), String(child.pid));
    using reader = cgroups.countersOf(path);
    const idle = reader.read();
    assert.equal(idle.pids.current, 1);
    child.stdin.end("\n");
    while (reader.read().cpu.totalNs < idle.cpu.totalNs + 50_000_000n)
      await new Promise((done) => setTimeout(done, 10));
    child.kill("SIGKILL");
    await once(child, "exit");
    await cgroups.remove(path);
    assert.throws(
      () => reader.read(),
      (error) => isFault(error, "notFound"),
    );
    using none = cgroups.countersOf(path);
    assert.throws(
      () => none.read(),
      (error) => isFault(error, "notFound"),
    );
  } finally {
    child.kill("SIGKILL");
    await cgroups.remove(path);
    await cgroups.leave();
  }
});

test("countersOf: v2's files by their names; the processor's time also without the cpu controller", () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-counters-"));
  try {
    const group = join(folder, "slipway/one");
    mkdirSync(group, { recursive: true });
    for (const [path, text] of golden("v2.txt")) writeFileSync(join(group, basename(path)), text);
    const mounts = new Map(["memory", "pids", "io"].map((name) => [name, folder]));
    const layout = { version: 2, mounts, hierarchies: [folder], freeInUnified: [] } as const;
    using reader = openCgroups(layout, "slipway").countersOf("/slipway/one");
    assert.deepEqual(reader.read(), readGroupV2(fileOf(golden("v2.txt"))));
    writeFileSync(join(group, "memory.current"), "4096\n");
    assert.equal(reader.read().memory.usageBytes, 4096);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
