import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { Fault } from "#core/fault";
import type { IdMapping, MountOp, UserNamespace } from "#host";
import { allocateRange, parseAuto } from "../config/id-mapping.ts";
import { type EnteredNamespaces, joinedContainer } from "../config/namespaces.ts";
import { parseNetworkMode } from "../config/network-mode.ts";
import type { ContainerSpec } from "../containers.ts";
import type { Room } from "../room.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";

/** What a container that is about to start shares with others, and who its users are for the host. */
export interface Isolation {
  readonly entered: Pick<EnteredNamespaces, "ipc" | "pid">;
  /** The process whose /dev/shm it shows. */
  readonly shmOwner: number | undefined;
  readonly userNamespace: UserNamespace | undefined;
}

/** Looks at the containers that it joins, as they are now. Faults in Docker's words: `conflict` when one does not run, `invalid` when it does not share. */
export function isolationOf(room: Room, record: ContainerRecord): Isolation {
  // The daemon may have learnt to remap since it was made.
  checkUserNamespace(room, record.spec);
  const { namespaces, networkMode } = record.spec;
  const ipc = donorOf(room, namespaces.ipc, "IPC");
  if (ipc !== undefined && !["shareable", "host"].includes(ipc.record.spec.namespaces.ipc) && !joins(ipc.record)) {
    throw new Fault(
      "invalid",
      "failed to join IPC namespace: non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
    );
  }
  const pid = donorOf(room, namespaces.pid, "PID");
  const network = parseNetworkMode(networkMode);
  const networkPid = network.kind === "container" ? pidOf(room, network.containerId) : undefined;
  return {
    entered: {
      ...(ipc !== undefined && { ipc: `/proc/${ipc.pid}/ns/ipc` }),
      ...(pid !== undefined && { pid: `/proc/${pid.pid}/ns/pid` }),
    },
    shmOwner: ipc?.pid,
    userNamespace: userNamespaceOf(room, record, [ipc?.pid, pid?.pid, networkPid]),
  };
}

/** The user namespace of a container: none, its own, or (with the namespaces that it joins) another container's. */
function userNamespaceOf(
  room: Room,
  { spec, userMapping }: ContainerRecord,
  donors: readonly (number | undefined)[],
): UserNamespace | undefined {
  if (spec.namespaces.user === "host") return undefined;
  if (userMapping !== undefined) return { kind: "own", mapping: userMapping };
  const donor = donors.find((pid) => pid !== undefined);
  // What belongs to a user namespace is of use only to those who are in it.
  if (donor !== undefined) return room.host.machine.userNamespaceOf(donor);
  return room.remapped === undefined ? undefined : { kind: "own", mapping: room.remapped };
}

/** Faults `invalid` in Docker's words for what a container with ids of its own cannot have; `unsupported` on a kernel without idmapped layers. */
export function checkUserNamespace(room: Pick<Room, "remapped" | "host">, spec: ContainerSpec): void {
  const { user, pid, ipc } = spec.namespaces;
  const isAuto = parseAuto(user) !== undefined;
  if (!isAuto && user !== "" && user !== "host")
    throw new Fault("invalid", `invalid user namespace mode: ${user.slice(0, 100)}`);
  if (!isAuto && (user === "host" || room.remapped === undefined)) return;
  const conflicts: [boolean, string][] = [
    [
      spec.privileged,
      "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode",
    ],
    [spec.networkMode === "host", "cannot share the host's network namespace when user namespaces are enabled"],
    [pid === "host", "cannot share the host PID namespace when user namespaces are enabled"],
    [ipc === "host", "cannot share the host IPC namespace when user namespaces are enabled"],
    [
      isAuto && [spec.networkMode, pid, ipc].some((mode) => joinedContainer(mode) !== undefined),
      "cannot join another container's namespaces with a user namespace of its own",
    ],
  ];
  const conflict = conflicts.find(([applies]) => applies)?.[1];
  if (conflict !== undefined) {
    throw new Fault("invalid", conflict, {
      remedy: "Use --userns host for a container that shares these with the host.",
    });
  }
  if (!room.host.machine.userNamespaces || !room.host.machine.idmappedLayers) {
    throw new Fault("unsupported", "user namespaces need Linux 5.19 or newer, for idmapped layers");
  }
  checkReachable(room.host.paths.execRoot);
}

/** The runtime enters a container's root as the container's own root, who for the host is nobody special. */
function checkReachable(folder: string): void {
  for (let path = folder; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) {
      throw new Fault(
        "invalid",
        `the users of a user namespace cannot enter ${path}, where the daemon's --exec-root lies`,
        {
          remedy: `Run chmod o+x ${path}, or choose another --exec-root.`,
        },
      );
    }
    if (path === "/") return;
  }
}

/** Ids for a container that wants its own; they are its until it is removed. */
export function takeUserMapping(room: Room, spec: ContainerSpec): IdMapping | undefined {
  const wanted = parseAuto(spec.namespaces.user);
  if (wanted === undefined) return undefined;
  const others = [...room.store.all()].flatMap(({ userMapping }) => (userMapping === undefined ? [] : [userMapping]));
  return allocateRange(room.idPool, wanted.size, room.remapped === undefined ? others : [...others, room.remapped]);
}

/** Names become ids, so that a rename does not change whose namespaces they are. Fault `invalid` for a container that there is not. */
export function joinById(room: Pick<Room, "store">, spec: ContainerSpec): ContainerSpec {
  const byId = (mode: string): string => {
    const name = joinedContainer(mode);
    if (name === undefined) return mode;
    try {
      return `container:${room.store.find(name).id}`;
    } catch (error) {
      // Clients take "not found" for the image's.
      throw new Fault("invalid", `joining the namespace of a container: ${(error as Error).message}`, { cause: error });
    }
  };
  const { ipc, pid } = spec.namespaces;
  return { ...spec, namespaces: { ...spec.namespaces, ipc: byId(ipc), pid: byId(pid) } };
}

/**
 * The mounts of a root, and of the folder with its files of /etc where it has some, whose files belong to the ids of a user namespace: overlays over idmapped views of the folders that hold
 * their layers. What is stored keeps its ids, so that whoever reads the layers (commit, cp, diff, other containers) sees no difference.
 */
export function mappedMounts(mounts: readonly MountOp[], folder: string, filesFolder?: string): MountOp[] {
  const views = new Map<string, string>();
  const shown = (path: string): string => {
    const at = path.lastIndexOf("/");
    const parent = path.slice(0, at);
    const view = views.get(parent) ?? join(folder, String(views.size));
    views.set(parent, view);
    return view + path.slice(at);
  };
  const moved = mounts.map((mount): MountOp => {
    if (mount.op !== "overlay") return mount;
    return {
      ...mount,
      lowers: mount.lowers.map(shown),
      ...(mount.upper !== undefined && { upper: shown(mount.upper) }),
      ...(mount.work !== undefined && { work: shown(mount.work) }),
    };
  });
  if (filesFolder !== undefined) views.set(filesFolder, filesView(folder));
  const isDisk = ({ op }: MountOp): boolean => op === "disk";
  return [
    ...moved.filter(isDisk),
    ...[...views].map(([source, target]): MountOp => ({ op: "idmap", source, target })),
    ...moved.filter((mount) => !isDisk(mount)),
  ];
}

/** Where the folder with the files of /etc is shown under the container's ids. */
export function filesView(folder: string): string {
  return join(folder, "etc");
}

interface Donor {
  readonly record: ContainerRecord;
  readonly pid: number;
}

function donorOf(room: Room, mode: string, what: "IPC" | "PID"): Donor | undefined {
  const id = joinedContainer(mode);
  if (id === undefined) return undefined;
  const record = room.store.find(id);
  if (isRunning(record.state)) return { record, pid: record.state.pid };
  const reason =
    record.state.status === "restarting" ? "is restarting, wait until the container is running" : "is not running";
  throw new Fault("conflict", `failed to join ${what} namespace: container ${record.id} ${reason}`, {
    remedy: `Start it first: docker start ${record.name}`,
  });
}

function joins({ spec }: ContainerRecord): boolean {
  return joinedContainer(spec.namespaces.ipc) !== undefined;
}

function pidOf(room: Room, containerId: string): number | undefined {
  const record = room.store.get(containerId);
  return record !== undefined && isRunning(record.state) ? record.state.pid : undefined;
}
