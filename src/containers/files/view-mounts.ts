import { access } from "node:fs/promises";
import { join } from "node:path";
import type { MountFlag, MountOp } from "#host";
import { diskAt, type VolumeSource } from "#volumes";
import { depthOf } from "../config/plan-mounts.ts";
import type { ContainerMount } from "../containers.ts";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";
import { isVolume } from "../mounts/settle.ts";

/** The volumes of a stopped container, ready to be shown, by their targets. Disposed when nobody looks any more. */
export interface LentVolumes extends AsyncDisposable {
  readonly sources: ReadonlyMap<string, VolumeSource>;
}

let lent = 0;

/** Gets the volumes of a container ready for somebody who looks into it. */
export async function lendVolumes(room: Room, { id, mounts }: ContainerRecord): Promise<LentVolumes> {
  const holder = `${id}.view${++lent}`;
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => await room.volumes.unmount(holder));
  const sources = new Map<string, VolumeSource>();
  for (const { name, target, readOnly } of mounts.filter(isVolume)) {
    sources.set(target, await room.volumes.mount(name, { holder, target, readOnly, propagation: "" }));
  }
  const held = undo.move();
  return { sources, [Symbol.asyncDispose]: async () => await held.disposeAsync() };
}

/**
 * What a start would mount over a container's root, parents first: binds, volumes, images, the files of /etc. A bind's source
 * that is gone is passed over, and so is what is in memory. `scratch` is a folder that can be written, for mounts on the way.
 */
export async function shownMounts(
  room: Room,
  { files, mounts }: ContainerRecord,
  volumes: LentVolumes["sources"],
  { root, scratch }: { readonly root: string; readonly scratch: string },
): Promise<MountOp[]> {
  const taken = new Set(mounts.map(({ target }) => target));
  const own = [
    { target: "/etc/resolv.conf", source: files.resolvConf },
    { target: "/etc/hostname", source: files.hostname },
    { target: "/etc/hosts", source: files.hosts },
  ].filter(({ target }) => !taken.has(target));
  const shown: { readonly target: string; readonly ops: readonly MountOp[] }[] = [];
  for (const { target, source } of own) {
    if (await isThere(source)) shown.push({ target, ops: [within(root, target, source, ["rec"])] });
  }
  for (const [index, mount] of mounts.entries()) {
    const at = join(scratch, `mount${index}`);
    const found = await sourceOf(room, mount, volumes.get(mount.target), at);
    if (found === undefined) continue;
    const flags: MountFlag[] = mount.readOnly ? ["rec", "ro"] : ["rec"];
    shown.push({ target: mount.target, ops: [...found.ops, within(root, mount.target, found.path, flags)] });
  }
  return shown.sort((left, right) => depthOf(left.target) - depthOf(right.target)).flatMap(({ ops }) => ops);
}

interface Found {
  readonly ops: readonly MountOp[];
  readonly path: string;
}

async function sourceOf(
  room: Room,
  mount: ContainerMount,
  volume: VolumeSource | undefined,
  at: string,
): Promise<Found | undefined> {
  if (mount.kind === "bind") return (await isThere(mount.source)) ? { ops: [], path: mount.source } : undefined;
  if (mount.kind === "volume" && volume !== undefined) return picked(volumeAt(volume, at), mount.subpath, at);
  if (mount.kind !== "image") return undefined;
  const ops: MountOp[] = [{ op: "mkdir", path: at, mode: 0o755 }, ...room.images.openRoot(mount.root).shownAt(at)];
  return picked({ ops, path: at }, mount.subpath, at);
}

function volumeAt(source: VolumeSource, at: string): Found {
  if (source.kind === "folder") return { ops: [], path: source.path };
  const place: MountOp = { op: "mkdir", path: at, mode: 0o755 };
  if (source.kind === "disk") {
    const { op, path } = diskAt(source, at);
    return { ops: [place, op], path };
  }
  const { type, device, flags, data } = source;
  return {
    ops: [place, { op: "mount", type, source: device, target: at, flags, data }],
    path: at,
  };
}

function picked({ ops, path: root }: Found, subpath: string | undefined, at: string): Found {
  if (subpath === undefined) return { ops, path: root };
  const target = `${at}.sub`;
  return { ops: [...ops, { op: "pick", how: "beneath", root, path: subpath, target, flags: ["rec"] }], path: target };
}

function within(root: string, path: string, source: string, flags: readonly MountFlag[]): MountOp {
  return { op: "within", root, path, source, flags };
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
