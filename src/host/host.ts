/**
 * The door of `host/`: the Linux kernel and foreign programs behind small interfaces. The only room that starts
 * processes or reads raw `/proc` and `/sys`.
 */
import type { Clock } from "#core/clock";
import type { Event, EventSink } from "#core/event";
import type { CountersReader } from "./counters/group-reader.ts";
import type { TrafficReader } from "./counters/interfaces.ts";
import type { MachineTime } from "./counters/machine-time.ts";
import type { Shim, UserNamespace } from "./shim/shim-types.ts";

export type * from "./shim/shim-types.ts";
export { StartFailure } from "./shim/shim-types.ts";
export type {
  BlockIoCounters,
  CpuCounters,
  GroupCounters,
  InterfaceCounters,
  MemoryCounters,
} from "./counters/counters.ts";
export { diskSizeOf, makeDiskImage } from "./disk-image.ts";
export { guardSpace, needSpace } from "./disk-space.ts";
export { GroupSync } from "./group-sync.ts";
export { type ForwardObstacle, forwardObstacles } from "./forward-obstacles.ts";
export type { CountersReader } from "./counters/group-reader.ts";
export type { TrafficReader } from "./counters/interfaces.ts";
export type { MachineTime } from "./counters/machine-time.ts";

/** Everything that the upper rooms need of the machine. */
export interface Host extends AsyncDisposable {
  readonly clock: Clock;
  readonly shim: Shim;
  readonly database: Database;
  readonly journal: Journal;
  readonly cgroups: Cgroups;
  readonly machine: Machine;
  readonly paths: Paths;
  /** A UUID that stays with the data root. */
  readonly engineId: string;
  /** The file system that the data root lies on, in Docker's words: `extfs`, `xfs` … */
  readonly backingFileSystem: string;
  /** The runtimes by name with their absolute paths; `default` names one of them. */
  readonly runtimes: { readonly default: string; readonly paths: Readonly<Record<string, string>> };
}

/** The folders of this daemon instance, and the short name that its bridges, tables and cgroups derive from. */
export interface Paths {
  /** Durable state: `--data-root`. */
  readonly dataRoot: string;
  /** State that a reboot may forget: `--exec-root`. */
  readonly execRoot: string;
  /** `slipway` for the default roots; else `slipway-` and 6 hex digits of the roots' digest, so instances never touch each other. */
  readonly instance: string;
}

/** One SQLite database in WAL mode; all calls are synchronous and short. Every room keeps its own tables. */
export interface Database {
  /** Brings a room's tables up to date: runs the steps that this database has not seen, in one transaction. */
  migrate(room: string, steps: readonly string[]): void;
  get<Row extends object>(sql: string, ...parameters: readonly SqlValue[]): Row | undefined;
  all<Row extends object>(sql: string, ...parameters: readonly SqlValue[]): Row[];
  /** Runs a statement; answers how many rows changed. Prepared statements are kept by text. */
  run(sql: string, ...parameters: readonly SqlValue[]): number;
  /** All of the work or none; nested calls join the outer one. The work must not await. */
  transaction<Result>(work: () => Result): Result;
  /** Resolves when all that was committed before the call is on the disk, and outlives a power cut. Commits alone outlive only the daemon. */
  sync(): Promise<void>;
}

export type SqlValue = string | number | bigint | null | Uint8Array;

/** The bounded, durable record of events, and its live feed. */
export interface Journal extends EventSink {
  /** Events from `sinceNs` on (all that are kept when undefined), then live ones until `untilNs` or the signal; a reader that falls 4,096 events behind ends with Fault `exhausted`. */
  read(range: { readonly sinceNs?: bigint; readonly untilNs?: bigint }, signal: AbortSignal): AsyncIterable<Event>;
}

/** cgroup v1, v2 or hybrid behind one face. Paths are relative, such as `/slipway/<id>`. */
export interface Cgroups {
  readonly version: 1 | 2;
  readonly controllers: ReadonlySet<string>;
  readonly limits: CgroupLimits;
  /** The `cgroupsPath` of the OCI spec for a container. */
  pathOf(containerId: string, parent?: string): string;
  /** The file in which the kernel counts OOM kills, absolute. */
  oomFileOf(path: string): string | undefined;
  /** Lets the groups above one give it real-time runtime, which v1 keeps from them unless told; as much as the kernel's root has. */
  grantRealtime(path: string): Promise<void>;
  /** Takes a limit away from a group that exists: crun 1.8 cannot be asked to. */
  lift(path: string, limit: "cpuQuota" | "pids"): Promise<void>;
  freeze(path: string): Promise<void>;
  /** Quiet when the group is gone. */
  thaw(path: string): Promise<void>;
  /** All pids in the group and below. */
  pidsOf(path: string): Promise<number[]>;
  /** A reader of the group's counters; it is to be closed. */
  countersOf(path: string): CountersReader;
  /** Removes what a crash left of a group: kills what is in it, waits, removes the folders. */
  remove(path: string): Promise<void>;
  /** Removes the instance's own group unless containers are in it; for the end of the daemon. */
  leave(): Promise<void>;
  /** All container groups of this instance that exist, as relative paths; for the leak check and reconcile. */
  list(): Promise<string[]>;
}

/** Which limits this machine's kernel can set on a group. */
export interface CgroupLimits {
  readonly memory: boolean;
  /** On swap, beside the one on memory. */
  readonly swap: boolean;
  readonly memoryReservation: boolean;
  readonly swappiness: boolean;
  readonly oomKillDisable: boolean;
  readonly cpuShares: boolean;
  readonly cpuQuota: boolean;
  readonly cpuRealtime: boolean;
  readonly cpuset: boolean;
  readonly pids: boolean;
  readonly blkioWeight: boolean;
  readonly blkioWeightDevice: boolean;
  readonly readBps: boolean;
  readonly writeBps: boolean;
  readonly readIops: boolean;
  readonly writeIops: boolean;
  /** What `--cpuset-cpus` and `--cpuset-mems` may choose from: `0-3`; empty when the kernel does not say. */
  readonly cpus: string;
  readonly memoryNodes: string;
}

/** Facts of the machine for `/info`, `/version` and `doctor`. */
export interface Machine {
  /** Of this boot, a UUID. */
  readonly bootId: string;
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly osVersion: string;
  readonly architecture: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly hostname: string;
  /** Whether the daemon has that capability, such as `CAP_SYS_RESOURCE`. */
  hasCapability(name: string): boolean;
  /** The hard limit of the daemon, and so of all that it starts, by the name that `--ulimit` has for it; Infinity: none. */
  hardLimit(name: string): number;
  /** Least OOM score that a container can be given: without CAP_SYS_RESOURCE the daemon's own. */
  readonly lowestOomScore: number;
  readonly seccomp: boolean;
  readonly apparmor: boolean;
  readonly userNamespaces: boolean;
  /** Whether overlayfs takes idmapped layers: Linux 5.19 and newer. */
  readonly idmappedLayers: boolean;
  /** SELinux is on. */
  readonly selinux: boolean;
  /** The user namespace of a process, to be shared with it; undefined when it is the daemon's own. Fault `notFound` without such a process. */
  userNamespaceOf(pid: number): Extract<UserNamespace, { kind: "shared" }> | undefined;
  readonly ipv4Forwarding: boolean;
  /** Whether the host's network has a link of that name. */
  hasLink(name: string): boolean;
  readonly ipv6Forwarding: boolean;
  /** Whether [::1] is up: the host has IPv6 then. */
  readonly ipv6Loopback: boolean;
  /** Folders of /sys that count how often a processor was too hot; they tell containers what others compute. */
  readonly throttleFolders: readonly string[];
  /** The resolv.conf that containers should follow (systemd-resolved's real one where that runs). */
  resolvConf(): Promise<string>;
  /** Calls when the host's resolv.conf may have changed. */
  watchResolvConf(onChange: () => void): Disposable;
  /** Processor time of the machine until now. */
  time(): MachineTime;
  /** A reader of the traffic in a process' network namespace, which lives on until it is closed. */
  trafficOf(pid: number): TrafficReader;
  /** Whether that signal can do nothing to the process, as it ignores it or is the first of its pid namespace and has no handler; false when it is gone. */
  isDeafTo(pid: number, signal: number): boolean;
  /** A process' facts for `top`: `ps` with those arguments, restricted to the pids. Fault `invalid` with the first line of what ps said. */
  ps(
    args: readonly string[],
    pids: readonly number[],
  ): Promise<{ readonly titles: string[]; readonly processes: string[][] }>;
}

export { openHost, type HostOptions } from "./open.ts";
export { capabilityNames } from "./machine.ts";
export { canEmulate } from "./emulators.ts";
export { writeSeenBy } from "./write-seen-by.ts";
export { type DetachedProgram, startDetached } from "./start-detached.ts";
export { listSegments as listLogSegments } from "./shim/log-segment.ts";
export { endOfLog, findTime, type LogRecord, readLastLines, readLog } from "./shim/log.ts";
