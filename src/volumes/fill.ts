import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Fault, isFault } from "#core/fault";
import type { MountOp, Program, Shim } from "#host";
import { diskAt } from "./disk.ts";
import { renameDurably } from "./durable-folder.ts";
import type { VolumeRecord } from "./records.ts";
import { removeTree } from "./remove-tree.ts";
import { unknownFileSystem } from "./unknown-file-system.ts";
import type { FillSource, VolumeSource } from "./volumes.ts";
import { driverOf, type Wiring } from "./wiring.ts";

/**
 * Copy-up: a volume that is empty gets what its first user's image has at that place, with owners, modes, attributes and hard
 * links. The copy is made beside the volume and becomes it in one step; where somebody has the volume mounted (or it is
 * somewhere else), a copy that is whole is copied in, and a crash meanwhile makes that be done again. Each copy is on the disk
 * before it counts, so that a power cut too leaves the volume filled or to be filled. A copy that fails leaves it empty.
 *
 * A builtin of the shim copies, in mounts of its own, where nothing but the target can be written and the source is found with
 * the image's root as the root of all symlinks.
 */
export async function fillVolume(wiring: Wiring, name: string, source: FillSource, signal: AbortSignal): Promise<void> {
  const { records, locks, local } = wiring;
  using _lock = await locks.take(name);
  const record = records.mustBeThere(name);
  const driver = await driverOf(wiring, record.driver);
  const user = `fill-${name}`;
  const target = await driver.mount(record, user, false);
  try {
    // What is in memory is over with its users: nobody would see the copy. What is read-only is as its owner wants it.
    if (target.kind === "memory" || (target.kind !== "disk" && target.flags.includes("ro"))) return;
    const { staging, ready } = stagesOf(wiring, name);
    if (!existsSync(ready)) {
      if (!(await isEmpty(wiring, target)) || !(await stage(wiring, staging, source, signal))) return;
      const isUnused = local.isPlain(record) && records.usersOf(name).length === 0;
      await renameDurably(staging, isUnused ? local.dataOf(name) : ready); // over the empty one
      if (isUnused) return;
    }
    await copyReady(wiring, name, target);
  } finally {
    await driver.unmount(record, user);
  }
}

/** Makes up for what a crash cut off: a copy that is not whole goes, one that is whole is copied in (for volumes that are elsewhere with their next use). */
export async function finishFill(wiring: Wiring, record: VolumeRecord): Promise<void> {
  const { local, shim } = wiring;
  const { staging, ready } = stagesOf(wiring, record.name);
  if (existsSync(staging)) await removeTree(shim, staging);
  const own = local.ownSource(record);
  if (existsSync(ready) && own !== undefined) await copyReady(wiring, record.name, own);
}

function stagesOf({ local }: Wiring, name: string): { readonly staging: string; readonly ready: string } {
  return { staging: join(local.homeOf(name), "staging"), ready: join(local.homeOf(name), "ready") };
}

/** Makes the copy beside the volume; whether there was something to copy. */
async function stage(wiring: Wiring, staging: string, source: FillSource, signal: AbortSignal): Promise<boolean> {
  const { shim } = wiring;
  await removeTree(shim, staging);
  await mkdir(staging, { recursive: true, mode: 0o700 });
  let isWhole = false;
  try {
    isWhole = await copyFrom(wiring, source, staging, signal);
    return isWhole;
  } finally {
    if (!isWhole) await removeTree(shim, staging);
  }
}

async function copyFrom(
  wiring: Wiring,
  { shownAt, path }: FillSource,
  target: string,
  signal: AbortSignal,
): Promise<boolean> {
  const scratch = scratchFolder(wiring);
  const root = join(scratch, "root");
  const mounts: MountOp[] = [
    { op: "mkdir", path: root, mode: 0o755 },
    ...shownAt(root),
    { op: "pick", how: "inside", root, path, target: join(scratch, "from"), flags: ["ro"] },
  ];
  try {
    const staging: VolumeSource = { kind: "folder", path: target, flags: [] };
    mustBeWhole(await copy(wiring, mounts, staging, signal), staging);
    return true;
  } catch (error) {
    // Only that: a program or a mount that is missing is no empty image.
    if (isFault(error, "notFound") && error.message.startsWith(noSuchPath)) return false;
    if (!isFault(error, "internal") || !error.message.includes(noSuchPath)) throw error;
    throw new Fault("invalid", `cannot mount a volume at ${path}: the image's symlinks there lead nowhere`, {
      cause: error,
    });
  }
}

/** How the shim says that the image has nothing there. */
const noSuchPath = "cannot follow the path ";

async function copyReady(wiring: Wiring, name: string, target: VolumeSource): Promise<void> {
  const { staging, ready } = stagesOf(wiring, name);
  const from = join(scratchFolder(wiring), "from");
  const mounts: MountOp[] = [
    { op: "mkdir", path: from, mode: 0o755 },
    { op: "bind", source: ready, target: from, flags: ["ro"] },
  ];
  const end = await copy(wiring, mounts, target, undefined);
  if (end.code === status.whole || end.code === status.failed) {
    // In one step it is no copy to be finished any more: half of it must not come over what somebody has changed since.
    await renameDurably(ready, staging);
    await removeTree(wiring.shim, staging);
  }
  mustBeWhole(end, target);
}

interface CopyEnd {
  readonly code: number | null;
  readonly stderr: string;
}

/** The builtin's (`shim/copy.c`): failed with nothing left of it, or with something (any other one too: it was killed). */
const status = { whole: 0, failed: 1, sourceIsFile: 3 } as const;

/** Copies `from` into `to`, whatever they are, onto the disk. */
async function copy(
  wiring: Wiring,
  from: readonly MountOp[],
  target: VolumeSource,
  signal: AbortSignal | undefined,
): Promise<CopyEnd> {
  const scratch = scratchFolder(wiring);
  const to = join(scratch, "to");
  return await runMounted(
    wiring,
    target,
    {
      builtin: "copy",
      argv: ["/from", "/to"],
      mounts: [...scratchMounts(scratch), ...from, { op: "mkdir", path: to, mode: 0o755 }, ...mountsAt(target, to)],
      tree: scratch,
    },
    signal,
  );
}

/** Says what kept a copy from being made. */
function mustBeWhole({ code, stderr }: CopyEnd, target: VolumeSource): void {
  if (code === status.whole) return;
  if (code === status.sourceIsFile) throw overFile();
  const words = stderr.trim();
  if (/No space left on device|quota exceeded/i.test(words)) {
    throw new Fault("exhausted", "no space left on device while a volume was filled from the image", {
      remedy:
        target.kind === "disk"
          ? "Make the volume anew with a larger size, or mount it with nocopy (-v VOLUME:TARGET:nocopy)."
          : "Free disk space: `slipway system df`, `slipway system prune`.",
    });
  }
  throw new Fault("internal", `cannot copy the image's files into the volume: ${words || "the copying was ended"}`, {
    remedy: "Mount it with nocopy (-v VOLUME:TARGET:nocopy) to leave it as it is.",
  });
}

function overFile(): Fault {
  return new Fault("invalid", "cannot mount volume over existing file, file exists in the image", {
    remedy: "Choose a target that is a folder in the image, or that is not there.",
  });
}

/** Whether a volume has nothing in it. */
export async function isEmpty(wiring: Wiring, target: VolumeSource): Promise<boolean> {
  if (target.kind === "folder") {
    return (await readdir(target.path)).every((name) => name === "lost+found");
  }
  const scratch = scratchFolder(wiring);
  const to = join(scratch, "to");
  const { code, stdout, stderr } = await runMounted(wiring, target, {
    argv: ["find", "to", "-mindepth", "1", "-maxdepth", "1", "!", "-name", "lost+found", "-printf", "x", "-quit"],
    mounts: [...scratchMounts(scratch), { op: "mkdir", path: to, mode: 0o755 }, ...mountsAt(target, to)],
    tree: scratch,
  });
  if (code !== 0) throw new Fault("internal", `cannot look into the volume: ${stderr.trim().slice(0, 300)}`);
  return stdout.length === 0;
}

/** Runs a program that has the volume among its mounts; says what kept it from being mounted. */
async function runMounted(
  { shim }: Pick<Wiring, "shim">,
  source: VolumeSource,
  program: Program,
  signal?: AbortSignal,
): ReturnType<Shim["runToEnd"]> {
  try {
    return await shim.runToEnd(program, signal);
  } catch (error) {
    if (!isFault(error, "internal") || source.kind === "folder") throw error;
    const { type, device } = source.kind === "disk" ? { type: "ext4", device: source.image } : source;
    if (error.message.includes("the kernel has no file system")) throw unknownFileSystem(type, error);
    const reason = error.message.split(": ").at(-1) ?? "";
    throw new Fault("internal", `failed to mount local volume: mount ${device} (${type}): ${reason}`, {
      cause: error,
    });
  }
}

/** The mounts that show a volume at a folder that is there. */
function mountsAt(source: VolumeSource, target: string): readonly MountOp[] {
  if (source.kind === "folder") return [{ op: "bind", source: source.path, target, flags: ["rec", ...source.flags] }];
  if (source.kind === "disk") {
    const whole = `${target}.disk`;
    const { op, path } = diskAt(source, whole);
    return [{ op: "mkdir", path: whole, mode: 0o700 }, op, { op: "bind", source: path, target, flags: [] }];
  }
  const { type, device, flags, data } = source;
  return [{ op: "mount", type, source: device, target, flags, data }];
}

function scratchMounts(scratch: string): MountOp[] {
  const data = "size=1m,mode=0700";
  return [{ op: "mount", type: "tmpfs", source: "scratch", target: scratch, flags: ["nosuid", "nodev"], data }];
}

/** An empty folder, on which passing programs mount what they need. */
export function scratchFolder({ paths }: Pick<Wiring, "paths">): string {
  return join(paths.execRoot, "volume-view");
}
