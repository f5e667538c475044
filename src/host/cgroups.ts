import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "#core/fault";
import { machineFiles, readCgroupLimits } from "./cgroup-limits.ts";
import { type CountersReader, openCountersReader } from "./counters/group-reader.ts";
import type { CgroupLimits, Cgroups } from "./host.ts";

/** Where the machine's cgroup controllers are mounted. */
export interface CgroupLayout {
  readonly version: 1 | 2;
  /** v1: controller → mount point; v2: every controller → the one mount point. */
  readonly mounts: ReadonlyMap<string, string>;
  /** Every cgroup mount point, also those without a controller (v1's `name=systemd`, hybrid's unified): runtimes make groups in all. */
  readonly hierarchies: readonly string[];
  /** Hybrid machines: controllers that are still free in v2, which crun before 1.9 refuses. */
  readonly freeInUnified: readonly string[];
}

/** Reads the layout from the text of `/proc/self/mountinfo`; `controllersOf` gives the text of a v2 mount's `cgroup.controllers`. */
export function readCgroupLayout(mountinfo: string, controllersOf: (mountPoint: string) => string): CgroupLayout {
  const v1 = new Map<string, string>();
  const hierarchies = new Set<string>();
  let unified: string | undefined;
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const mountPoint = before.split(" ")[4] ?? "";
    const [type, , options = ""] = after.split(" ");
    if (type === "cgroup2") unified ??= mountPoint;
    if (type === "cgroup" || type === "cgroup2") hierarchies.add(mountPoint);
    if (type !== "cgroup") continue;
    for (const option of options.split(","))
      if (v1Controllers.has(option) && !v1.has(option)) v1.set(option, mountPoint);
  }
  const inUnified =
    unified === undefined
      ? []
      : controllersOf(unified)
          .split(/\s+/)
          .filter((name) => name !== "");
  if (v1.size > 0) return { version: 1, mounts: v1, hierarchies: [...hierarchies], freeInUnified: inUnified };
  if (unified === undefined) return { version: 2, mounts: new Map(), hierarchies: [], freeInUnified: [] };
  const root = unified;
  const mounts = new Map([...inUnified, "freezer"].map((name) => [name, root]));
  return { version: 2, mounts, hierarchies: [root], freeInUnified: [] };
}

const v1Controllers = new Set([
  "cpu",
  "cpuacct",
  "cpuset",
  "memory",
  "devices",
  "freezer",
  "blkio",
  "pids",
  "hugetlb",
  "net_cls",
  "net_prio",
  "perf_event",
]);

/** The layout of this machine. */
export function machineCgroupLayout(): CgroupLayout {
  return readCgroupLayout(readFileSync("/proc/self/mountinfo", "utf8"), (mountPoint) => {
    const path = join(mountPoint, "cgroup.controllers");
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  });
}

/** Opens the cgroups of one daemon instance; its containers live under `/<instance>/`. */
export function openCgroups(layout: CgroupLayout, instance: string): Cgroups {
  return new CgroupTree(layout, instance);
}

class CgroupTree implements Cgroups {
  readonly version: 1 | 2;
  readonly controllers: ReadonlySet<string>;
  readonly limits: CgroupLimits;
  readonly #layout: CgroupLayout;
  readonly #instance: string;

  constructor(layout: CgroupLayout, instance: string) {
    this.version = layout.version;
    this.controllers = new Set(layout.mounts.keys());
    this.limits = readCgroupLimits(layout, machineFiles);
    this.#layout = layout;
    this.#instance = instance;
  }

  pathOf(containerId: string, parent = `/${this.#instance}`): string {
    return join("/", parent, containerId);
  }

  oomFileOf(path: string): string | undefined {
    const mount = this.#layout.mounts.get("memory");
    return mount === undefined
      ? undefined
      : join(mount, path, this.version === 1 ? "memory.oom_control" : "memory.events");
  }

  async grantRealtime(path: string): Promise<void> {
    if (!this.limits.cpuRealtime) return;
    const root = this.#mountOf("cpu");
    const budget = await readFile(join(root, "cpu.rt_runtime_us"), "utf8");
    const parents = path.split("/").filter(Boolean).slice(0, -1);
    for (const depth of parents.keys()) {
      const group = join(root, ...parents.slice(0, depth + 1));
      await mkdir(group, { recursive: true });
      // Where others have taken it, the runtime gets the kernel's refusal.
      await writeFile(join(group, "cpu.rt_runtime_us"), budget).catch(() => undefined);
    }
  }

  async lift(path: string, limit: "cpuQuota" | "pids"): Promise<void> {
    const folder = join(this.#mountOf(limit === "pids" ? "pids" : "cpu"), path);
    if (limit === "pids") await writeFile(join(folder, "pids.max"), "max");
    else if (this.version === 1) await writeFile(join(folder, "cpu.cfs_quota_us"), "-1");
    else await writeFile(join(folder, "cpu.max"), "max"); // the period stays
  }

  async freeze(path: string): Promise<void> {
    await this.#setFrozen(path, true);
  }

  async thaw(path: string): Promise<void> {
    try {
      await this.#setFrozen(path, false);
    } catch (error) {
      // A group whose last process was killed while it was frozen may be gone by now, or going.
      if (!["ENOENT", "ENODEV"].includes(errnoOf(error) ?? "")) throw error;
    }
  }

  async pidsOf(path: string): Promise<number[]> {
    const folder = join(this.#mountOf("pids", "freezer"), path);
    const pids: number[] = [];
    for (const group of [folder, ...(await groupsBelow(folder))]) pids.push(...(await readPids(group)));
    return pids;
  }

  countersOf(path: string): CountersReader {
    return openCountersReader(this.#layout, path);
  }

  async remove(path: string): Promise<void> {
    const freezer = this.#layout.mounts.get("freezer");
    // A frozen process of v1 does not die of SIGKILL before it is thawed.
    if (this.version === 1 && freezer !== undefined && existsSync(join(freezer, path))) await this.thaw(path);
    for (const mount of this.#layout.hierarchies) await removeGroup(join(mount, path));
  }

  async list(): Promise<string[]> {
    const found = new Set<string>();
    for (const mount of this.#layout.hierarchies) {
      for (const name of await childGroups(join(mount, this.#instance))) found.add(this.pathOf(name));
    }
    return [...found].toSorted();
  }

  async leave(): Promise<void> {
    for (const mount of this.#layout.hierarchies) {
      // Busy: containers run on. Not there: none ever ran.
      await rmdir(join(mount, this.#instance)).catch(() => undefined);
    }
  }

  async #setFrozen(path: string, frozen: boolean): Promise<void> {
    const folder = join(this.#mountOf("freezer"), path);
    const [file, value] =
      this.version === 1 ? ["freezer.state", frozen ? "FROZEN" : "THAWED"] : ["cgroup.freeze", frozen ? "1" : "0"];
    await writeFile(join(folder, file), value);
    const deadline = Date.now() + 10_000;
    while (!(await isInState(folder, this.version, frozen))) {
      if (Date.now() > deadline) {
        if (frozen) await this.#setFrozen(path, false);
        throw new Fault("internal", `the kernel did not ${frozen ? "freeze" : "thaw"} the container within 10 s`);
      }
      await sleep(2);
      // A process that was forking while v1 froze its group is frozen only by the next write.
      if (this.version === 1) await writeFile(join(folder, file), value);
    }
  }

  #mountOf(...controllers: readonly string[]): string {
    for (const controller of controllers) {
      const mount = this.#layout.mounts.get(controller);
      if (mount !== undefined) return mount;
    }
    throw new Fault("unsupported", `this machine has no ${controllers.join(" or ")} cgroup controller`, {
      remedy: "Run `slipway doctor` for how to mount it.",
    });
  }
}

async function isInState(folder: string, version: 1 | 2, frozen: boolean): Promise<boolean> {
  if (version === 1)
    return (await readFile(join(folder, "freezer.state"), "utf8")).trim() === (frozen ? "FROZEN" : "THAWED");
  return (await readFile(join(folder, "cgroup.events"), "utf8")).includes(`frozen ${frozen ? 1 : 0}`);
}

async function readPids(folder: string): Promise<number[]> {
  try {
    const text = await readFile(join(folder, "cgroup.procs"), "utf8");
    return text.split("\n").filter(Boolean).map(Number);
  } catch {
    return []; // the group went away
  }
}

async function childGroups(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** All groups below, deepest last. */
async function groupsBelow(folder: string): Promise<string[]> {
  const below: string[] = [];
  for (const name of await childGroups(folder)) {
    const child = join(folder, name);
    below.push(child, ...(await groupsBelow(child)));
  }
  return below;
}

/** Kills what is in the group, then removes it from the leaves up; a dying process keeps its group busy for a moment. */
async function removeGroup(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const groups = [folder, ...(await groupsBelow(folder))].toReversed();
  for (const group of groups) {
    const deadline = Date.now() + 5000;
    for (;;) {
      for (const pid of await readPids(group)) killQuietly(pid);
      try {
        await rmdir(group);
        break;
      } catch (error) {
        if (errnoOf(error) === "ENOENT") break;
        if (Date.now() > deadline) throw new Fault("internal", `cannot remove the cgroup ${group}`, { cause: error });
        await sleep(10);
      }
    }
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // already gone
  }
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
