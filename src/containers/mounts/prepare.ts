import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#core/fault";
import type { IdMapping, MountFlag, MountOp } from "#host";
import { diskAt, type VolumeSource } from "#volumes";
import { parseIdmap } from "../config/owner-changes.ts";
import type { RuntimeMount } from "../config/runtime-spec.ts";
import { boundMount, tmpfsMount, tmpfsWords } from "../config/spec-mounts.ts";
import type { ResolvedUser } from "../config/user.ts";
import type { BindRequest, ContainerMount, ImageMount, VolumeMount } from "../containers.ts";
import { foldersOf } from "../life/folders.ts";
import { type Isolation, mappedMounts } from "../life/namespaces.ts";
import type { Room } from "../room.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";
import { giveAway, giveTree } from "./give-away.ts";
import { isVolume } from "./settle.ts";

/** What has to be mounted for a start, and where the runtime finds it. Disposed when the container runs, or does not. */
export interface PreparedMounts extends Disposable {
  /** For the monitor, before the runtime comes. */
  readonly ops: readonly MountOp[];
  /** For the runtime. */
  readonly runtime: readonly RuntimeMount[];
}

/** Gets all that a container wants mounted ready. Volumes are then mounted for it, until `volumes.unmount`. */
export async function prepareMounts(
  room: Room,
  record: ContainerRecord,
  isolation: Pick<Isolation, "userNamespace">,
  user: ResolvedUser["ids"],
): Promise<PreparedMounts> {
  using undo = new DisposableStack();
  const place = foldersOf(room.host.paths, record.id).mounts;
  const memory = new Map<string, string>();
  const ops: MountOp[] = [];
  const runtime: RuntimeMount[] = [];
  for (const [index, mount] of record.mounts.entries()) {
    const at = join(place, String(index));
    const ready = await prepare({ room, record, isolation, user, undo, memory, at }, mount);
    ops.push(...ready.ops);
    runtime.push(ready.runtime);
  }
  const held = undo.move();
  return { ops, runtime, [Symbol.dispose]: () => held.dispose() };
}

interface Preparation {
  readonly room: Room;
  readonly record: ContainerRecord;
  readonly isolation: Pick<Isolation, "userNamespace">;
  readonly user: ResolvedUser["ids"];
  readonly undo: DisposableStack;
  /** Volumes in memory that it has mounted already, with where. */
  readonly memory: Map<string, string>;
  /** A place of the monitor's own, not there yet; more of them are made by endings. */
  readonly at: string;
}

interface Ready {
  readonly ops: readonly MountOp[];
  readonly runtime: RuntimeMount;
}

async function prepare(preparation: Preparation, mount: ContainerMount): Promise<Ready> {
  if (mount.kind === "bind") return await prepareBind(preparation, mount);
  if (mount.kind === "volume") return await prepareVolume(preparation, mount);
  if (mount.kind === "image") return prepareImage(preparation, mount);
  return { ops: [], runtime: tmpfsMount(mount.target, tmpfsWords(mount)) };
}

async function prepareBind({ room, isolation, user, at }: Preparation, bind: BindRequest): Promise<Ready> {
  const isFolder = await makeSource(bind);
  const { userNamespace } = isolation;
  if (bind.chown === true) await giveAway(room.host.shim, bind.source, user, userNamespace?.mapping);
  const on = bindOp(bind, at, isFolder, isolation);
  return {
    ops: on === undefined ? [] : [on],
    runtime: boundMount(bind, on === undefined ? bind.source : at, isFolder),
  };
}

/** What the monitor has to do for a bind that the runtime cannot make by itself. */
function bindOp(
  bind: BindRequest,
  at: string,
  isFolder: boolean,
  isolation: Pick<Isolation, "userNamespace">,
): MountOp | undefined {
  const { source } = bind;
  if (bind.idmap !== undefined) return mappedAs(bind, at, isolation);
  // Not all runtimes leave out what is mounted below.
  if (bind.nonRecursive === true) return { op: "pick", how: "inside", root: "/", path: source, target: at, flags: [] };
  // What monitors see follows the host and does not lead back to it: a peer of the host's own mount does.
  const leadsBack = isFolder && (bind.propagation === "shared" || bind.propagation === "rshared");
  return leadsBack ? { op: "graft", pid: process.pid, source, target: at, what: "all" } : undefined;
}

function mappedAs(
  { source, idmap = "" }: Pick<BindRequest, "source" | "idmap">,
  target: string,
  { userNamespace }: Pick<Isolation, "userNamespace">,
): MountOp {
  if (idmap !== "") return { op: "idmap", source, target, mapping: parseIdmap(idmap, userNamespace?.mapping) };
  if (userNamespace !== undefined) return { op: "idmap", source, target };
  throw new Fault("invalid", "idmap: the container has no user namespace to take its ids from", {
    remedy: "Give the ids (idmap=uids=0-1000-1;gids=0-1000-1), or start the container with --userns auto.",
  });
}

/** `-v` makes a folder that is not there; root's, as Docker does. Whether the source is a folder. */
async function makeSource({ createSource, source }: BindRequest): Promise<boolean> {
  const isFile = (await stat(source).catch(() => undefined))?.isDirectory() === false;
  if (!createSource || isFile) return !isFile;
  try {
    await mkdir(source, { recursive: true, mode: 0o755 });
    return true;
  } catch (error) {
    throw new Fault("internal", `error while creating mount source path '${source}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function prepareVolume(preparation: Preparation, mount: VolumeMount): Promise<Ready> {
  const { room, record, isolation, at, user } = preparation;
  const { name, target, readOnly, propagation = "", subpath, idmap } = mount;
  const source = await room.volumes.mount(name, { holder: record.id, target, readOnly, propagation });
  const { ops, path } = await fileSystemOf(preparation, mount, source);
  let shown = path;
  if (subpath !== undefined) {
    const flags: MountFlag[] = readOnly ? ["rec", "ro"] : ["rec"];
    ops.push({ op: "pick", how: "beneath", root: shown, path: subpath, target: `${at}.sub`, flags });
    shown = `${at}.sub`;
  }
  // What is stored in a volume of ours has the ids that the container sees; elsewhere others may see it too.
  const isOurs =
    source.kind === "memory" ||
    source.kind === "disk" ||
    (mount.driver === "local" && source.kind === "folder" && source.path === mount.source);
  const hostIds = isOurs ? undefined : isolation.userNamespace?.mapping;
  if (mount.chown === true) await giveVolume(room, mount, source, user, hostIds);
  if (idmap !== undefined || (isolation.userNamespace !== undefined && isOurs)) {
    ops.push(mappedAs({ source: shown, idmap: idmap ?? "" }, at, isolation));
    shown = at;
  }
  // A path in a volume may be a file; read-only has gone all the way down there already.
  const bound = boundMount(mount, shown, subpath === undefined);
  return { ops, runtime: { ...bound, options: [...bound.options, ...flagsOf(source)] } };
}

async function giveVolume(
  room: Room,
  mount: VolumeMount,
  source: VolumeSource,
  user: ResolvedUser["ids"],
  mapping: IdMapping | undefined,
): Promise<void> {
  const { shim } = room.host;
  if (source.kind === "disk") {
    const { op, path } = diskAt(source, mount.source);
    return await giveTree(shim, { tree: path, mounts: [op], subpath: mount.subpath }, user, mapping);
  }
  if (source.kind !== "folder") {
    throw new Fault("unsupported", "the option U is not supported for volumes of other file systems", {
      remedy: "Give the owner to the file system: --opt o=uid=1000,gid=1000.",
    });
  }
  await giveAway(shim, source.path, user, mapping, mount.subpath);
}

function flagsOf(source: VolumeSource): readonly MountFlag[] {
  return source.kind === "folder" ? source.flags : [];
}

type FileSystem = Extract<VolumeSource, { type: string }>;

function mountOp({ type, device, flags, data }: FileSystem, target: string): MountOp {
  return { op: "mount", type, source: device, target, flags, data };
}

/** The whole volume's place, and what the monitor does to have it there. */
async function fileSystemOf(
  preparation: Preparation,
  mount: VolumeMount,
  source: VolumeSource,
): Promise<{ readonly ops: MountOp[]; readonly path: string }> {
  const { room, undo, memory, at } = preparation;
  if (source.kind === "folder") return { ops: [], path: source.path };
  const path = `${at}.fs`;
  if (source.kind === "disk") {
    const disk = diskAt(source, path);
    return { ops: [{ op: "mkdir", path, mode: 0o755 }, disk.op], path: disk.path };
  }
  if (source.kind === "mount") {
    return { ops: [{ op: "mkdir", path, mode: 0o755 }, mountOp(source, path)], path };
  }
  const known = memory.get(mount.name);
  if (known !== undefined) return { ops: [], path: known };
  // It is taken from who has it: two starts at once would otherwise both make it. One lock for all, as a start may want several.
  if (memory.size === 0) undo.use(await room.locks.take("volumes in memory"));
  memory.set(mount.name, path);
  return { ops: [sharedOp(preparation, mount, source, path)], path };
}

/** From a container that runs and has it; else new. */
function sharedOp(
  { room, record }: Preparation,
  { name }: VolumeMount,
  { type, device, flags, data }: FileSystem,
  target: string,
): MountOp {
  const fresh = { op: "share", target, type, device, flags, data } as const;
  for (const user of room.volumes.usersOf(name)) {
    const other = room.store.get(user);
    if (other === undefined || user === record.id || !isRunning(other.state)) continue;
    const index = other.mounts.findIndex((mount) => isVolume(mount) && mount.name === name);
    if (index < 0) continue;
    const source = `${join(foldersOf(room.host.paths, user).mounts, String(index))}.fs`;
    return { ...fresh, pid: other.state.pid, source };
  }
  return { ...fresh, pid: undefined, source: "" };
}

function prepareImage({ room, isolation, at }: Preparation, mount: ImageMount): Ready {
  const root = `${at}.image`;
  const layers = room.images.openRoot(mount.root).shownAt(root);
  const ops: MountOp[] = [{ op: "mkdir", path: root, mode: 0o755 }];
  // The views of its layers stand beside it.
  if (isolation.userNamespace === undefined) ops.push(...layers);
  else ops.push(...mappedMounts(layers, `${at}.views`));
  if (mount.subpath === undefined) return { ops, runtime: readOnlyBind(mount, root) };
  ops.push({ op: "pick", how: "beneath", root, path: mount.subpath, target: at, flags: [] });
  return { ops, runtime: readOnlyBind(mount, at) };
}

/** The overlay itself has no upper layer: nothing can be written, whatever lies below. */
function readOnlyBind({ target }: ImageMount, source: string): RuntimeMount {
  return boundMount({ target, readOnly: true, readOnlyTopOnly: true }, source, true);
}
