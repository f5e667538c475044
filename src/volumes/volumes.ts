/** The door of `volumes/`: named and anonymous volumes, their drivers, who holds and who uses them, copy-up. */
import type { Clock } from "#core/clock";
import type { EventSink } from "#core/event";
import type { Log } from "#core/log";
import type { Database, MountFlag, MountOp, Paths, Shim } from "#host";

/** A volume as `docker volume inspect` shows it. */
export interface Volume {
  readonly name: string;
  /** `local`, or the name of a plugin. */
  readonly driver: string;
  readonly createdNs: bigint;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** Where its data is on the host, once something is mounted there; empty when its plugin does not tell. */
  readonly mountpoint: string;
  /** What its plugin tells of it. */
  readonly status?: Readonly<Record<string, unknown>>;
}

/** What `volume create` asks for. */
export interface VolumeRequest {
  /** Empty: a generated one, and the volume is anonymous. */
  readonly name: string;
  /** Empty: `local`. */
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** How a volume gets into the mounts of a container. */
export type VolumeSource =
  /** A folder of the host, with what is to be taken from the mount. */
  | { readonly kind: "folder"; readonly path: string; readonly flags: readonly MountFlag[] }
  /** A file system that each user mounts for itself: where it is the same device, it is the same data. */
  | FileSystem
  /** A file system of a fixed size in a file, which each user mounts for itself (`diskAt`): all see the same one. */
  | { readonly kind: "disk"; readonly image: string }
  /** A file system in memory: the first user makes it, the others take it from one who has it; it is over with the last. */
  | (Omit<FileSystem, "kind"> & { readonly kind: "memory" });

interface FileSystem {
  readonly kind: "mount";
  readonly type: string;
  readonly device: string;
  readonly flags: readonly MountFlag[];
  readonly data: string;
}

/** A tree that a new volume is filled from: a path in a container's root. */
export interface FillSource {
  /** Mounts that show the root, read-only, at the target. */
  shownAt(target: string): readonly MountOp[];
  /** In the root; symlinks on the way are the root's own. */
  readonly path: string;
}

/** Who uses a volume, and how, for the events. */
export interface VolumeUse {
  readonly holder: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly propagation: string;
}

/** Which volumes `prune` may take. */
export interface PruneRequest {
  /** Named ones too, not anonymous ones alone. */
  readonly all: boolean;
  accepts(volume: Volume): boolean;
}

/** A volume that nobody removes while a container is made with it. */
export interface VolumeLease extends AsyncDisposable {
  readonly volume: Volume;
}

/** What a volume takes of the disk, for `system df`. */
export interface VolumeUsage {
  readonly volume: Volume;
  /** Apparent sizes of its files, hard links once; −1 where that is not known. */
  readonly sizeBytes: number;
  /** Containers that hold it. */
  readonly holders: number;
}

export interface Volumes {
  /** By name; those that plugins tell of too. Warnings name the plugins that did not answer. */
  list(): Promise<{ readonly volumes: readonly Volume[]; readonly warnings: readonly string[] }>;
  /** Fault `notFound`: `get X: no such volume`. */
  find(name: string): Promise<Volume>;
  /** Makes a volume, or answers the one that there is. Faults: `invalid` for names and options, `conflict` when another driver has that name. */
  create(request: VolumeRequest): Promise<Volume>;
  /**
   * One for a container that is being made, new or there already; a driver that is not named is that of the one that is there. A
   * new one goes again unless somebody takes a hold: when the lease is disposed, or with the next start of the daemon.
   */
  lease(request: VolumeRequest): Promise<VolumeLease>;
  /** Faults: `conflict` with its users; `notFound` unless forced. Forced, it goes from the records although its plugin fails. */
  remove(name: string, options: { readonly force: boolean }): Promise<void>;
  /** Removes what nobody holds. */
  prune(request: PruneRequest): Promise<{ readonly removed: readonly string[]; readonly reclaimedBytes: number }>;
  /** Sizes of all of them. */
  usage(): Promise<readonly VolumeUsage[]>;
  /** A durable hold; to be called in the transaction that keeps the holder itself. */
  hold(holder: string, names: readonly string[]): void;
  /** Lets go of all that it holds; `passing` ones of them go with the next start of the daemon unless they are held again. */
  release(holder: string, passing: readonly string[]): void;
  /** Removes those of them that nobody holds; what cannot be removed stays, and the log says why. */
  removeUnheld(names: readonly string[]): Promise<void>;
  holdersOf(name: string): readonly string[];
  /** Copies what is at the source into a volume that is empty: all of it, or (after a failure or crash) nothing. */
  fill(name: string, source: FillSource, signal: AbortSignal): Promise<void>;
  /** Gets a volume ready for a user. One user may have it several times. */
  mount(name: string, use: VolumeUse): Promise<VolumeSource>;
  /** Those that have it mounted, in the order in which they came. */
  usersOf(name: string): readonly string[];
  /** Undoes all mounts of a user, once the kernel has none left; quiet when it has none. */
  unmount(holder: string): Promise<void>;
  /** After a crash: drops the holds of holders that are not there, and the mounts of users that do not run. */
  reconcile(holders: ReadonlySet<string>, users: ReadonlySet<string>): Promise<void>;
}

export interface VolumesOptions {
  readonly database: Database;
  readonly shim: Shim;
  readonly paths: Paths;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly log?: Log;
  /** Where plugins are looked for; Docker's folders when absent. */
  readonly pluginFolders?: readonly string[];
}

export { anonymousLabel, isAnonymous } from "./anonymous.ts";
export { diskAt } from "./disk.ts";
export { openVolumes } from "./open.ts";
export { unknownFileSystem } from "./unknown-file-system.ts";
