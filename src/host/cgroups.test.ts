import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { machineCgroupLayout, openCgroups, readCgroupLayout } from "./cgroups.ts";

const hybrid = `31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;

test("readCgroupLayout: hybrid is v1, with what v2 still holds", () => {
  const layout = readCgroupLayout(hybrid, () => "hugetlb\n");
  assert.equal(layout.version, 1);
  assert.equal(layout.mounts.get("cpuacct"), "/sys/fs/cgroup/cpu,cpuacct");
  assert.deepEqual(layout.freeInUnified, ["hugetlb"]);
});

test("readCgroupLayout: v2 alone", () => {
  const layout = readCgroupLayout(
    "25 24 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate",
    () => "cpuset cpu io memory pids\n",
  );
  assert.equal(layout.version, 2);
  assert.equal(layout.mounts.get("memory"), "/sys/fs/cgroup");
  assert.equal(layout.mounts.get("freezer"), "/sys/fs/cgroup");
  const cgroups = openCgroups(layout, "slipway");
  assert.equal(cgroups.oomFileOf(cgroups.pathOf("abc")), "/sys/fs/cgroup/slipway/abc/memory.events");
});

test("openCgroups: freezes, thaws, lists and removes a real group with a process in it", async () => {
  const layout = machineCgroupLayout();
  const instance = `slipway-test-${process.pid}`;
  const cgroups = openCgroups(layout, instance);
  const path = cgroups.pathOf("one");
  const mounts = [...new Set(layout.mounts.values())].filter((mount) => !mount.includes("cpuset"));
  for (const mount of mounts) mkdirSync(join(mount, path), { recursive: true });
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", (_code, signal) => resolve(signal)));
  for (const mount of mounts) writeFileSync(join(mount, path, "cgroup.procs"), String(child.pid));
  assert.deepEqual(await cgroups.pidsOf(path), [child.pid]);
  await cgroups.freeze(path);
  await cgroups.thaw(path);
  assert.deepEqual(await cgroups.list(), [path]);
  await cgroups.remove(path);
  assert.equal(await ended, "SIGKILL");
  await cgroups.leave();
  for (const mount of mounts) assert.equal(existsSync(join(mount, instance)), false);
  await cgroups.thaw(path); // gone: nothing to thaw
  await assert.rejects(cgroups.freeze(path), { code: "ENOENT" });
});
