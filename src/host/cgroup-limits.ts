import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CgroupLayout } from "./cgroups.ts";
import type { CgroupLimits } from "./host.ts";

/** How the facts are read; the real one is `machineFiles`. */
export interface CgroupFiles {
  /** Undefined when it is not there. */
  read(path: string): string | undefined;
  /** Names of the files and folders in a folder; none when it is not there. */
  list(path: string): readonly string[];
}

/** Which limits the kernel can set on a group of this layout: on v1 its root groups show the files, on v2 the controllers say so. */
export function readCgroupLimits(layout: CgroupLayout, files: CgroupFiles): CgroupLimits {
  return layout.version === 1 ? limitsOfV1(layout, files) : limitsOfV2(layout, files);
}

export const machineFiles: CgroupFiles = {
  read: (path) => (existsSync(path) ? readFileSync(path, "utf8") : undefined),
  list: (path) => (existsSync(path) ? readdirSync(path) : []),
};

function limitsOfV1({ mounts }: CgroupLayout, files: CgroupFiles): CgroupLimits {
  const has = (controller: string, ...names: readonly string[]): boolean => {
    const mount = mounts.get(controller);
    if (mount === undefined) return false;
    const present = new Set(files.list(mount));
    return names.every((name) => present.has(name));
  };
  return {
    memory: has("memory", "memory.limit_in_bytes"),
    // A boot option on some kernels.
    swap: has("memory", "memory.memsw.limit_in_bytes"),
    memoryReservation: has("memory", "memory.soft_limit_in_bytes"),
    swappiness: has("memory", "memory.swappiness"),
    oomKillDisable: has("memory", "memory.oom_control"),
    cpuShares: has("cpu", "cpu.shares"),
    cpuQuota: has("cpu", "cpu.cfs_period_us", "cpu.cfs_quota_us"),
    cpuRealtime: has("cpu", "cpu.rt_period_us", "cpu.rt_runtime_us"),
    cpuset: has("cpuset", "cpuset.cpus", "cpuset.mems"),
    // The root has no pids.max.
    pids: mounts.has("pids"),
    blkioWeight: has("blkio", "blkio.weight"),
    blkioWeightDevice: has("blkio", "blkio.weight_device"),
    readBps: has("blkio", "blkio.throttle.read_bps_device"),
    writeBps: has("blkio", "blkio.throttle.write_bps_device"),
    readIops: has("blkio", "blkio.throttle.read_iops_device"),
    writeIops: has("blkio", "blkio.throttle.write_iops_device"),
    cpus: listIn(mounts.get("cpuset"), "cpuset.cpus", files),
    memoryNodes: listIn(mounts.get("cpuset"), "cpuset.mems", files),
  };
}

function limitsOfV2({ mounts }: CgroupLayout, files: CgroupFiles): CgroupLimits {
  const has = (controller: string): boolean => mounts.has(controller);
  const root = mounts.get("freezer");
  return {
    memory: has("memory"),
    swap: has("memory") && groupsHave(root, "memory.max", ["memory.swap.max"], files),
    memoryReservation: has("memory"),
    // v2 has neither.
    swappiness: false,
    oomKillDisable: false,
    cpuShares: has("cpu"),
    cpuQuota: has("cpu"),
    cpuRealtime: false,
    cpuset: has("cpuset"),
    pids: has("pids"),
    // Only with the BFQ scheduler or the io.cost model.
    blkioWeight: has("io") && groupsHave(root, "io.max", ["io.weight", "io.bfq.weight"], files),
    blkioWeightDevice: has("io") && groupsHave(root, "io.max", ["io.weight", "io.bfq.weight"], files),
    readBps: has("io"),
    writeBps: has("io"),
    readIops: has("io"),
    writeIops: has("io"),
    cpus: listIn(root, "cpuset.cpus.effective", files),
    memoryNodes: listIn(root, "cpuset.mems.effective", files),
  };
}

/** Whether groups below v2's root (which itself has no such files) have one of the files; true when no group has the controller, and so none can tell. */
function groupsHave(root: string | undefined, witness: string, names: readonly string[], files: CgroupFiles): boolean {
  if (root === undefined) return false;
  const groups = files.list(root).map((name) => files.list(join(root, name)));
  const telling = groups.find((group) => group.includes(witness));
  return telling === undefined || names.some((name) => telling.includes(name));
}

function listIn(folder: string | undefined, name: string, files: CgroupFiles): string {
  return folder === undefined ? "" : (files.read(join(folder, name)) ?? "").trim();
}
