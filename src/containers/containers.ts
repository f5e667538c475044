/** The door of `containers/`: state machine, OCI spec, start, stop, exec, attach, logs, events, reconcile. */
import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import type { EventSink } from "#core/event";
import type { Log } from "#core/log";
import type { ContainerDefaults, Healthcheck, Platform } from "#core/oci";
import type { Reference } from "#core/reference";
import type {
  CpuCounters,
  GroupCounters,
  Host,
  IdMapping,
  InterfaceCounters,
  OutputChunk,
  StreamName,
  TerminalSize,
} from "#host";
import type { Images, Lease, RootChange } from "#images";
import type { Attached, EndpointRequest, Networks, PortRequest } from "#networks";
import type { Volumes } from "#volumes";
import type { StepEnd, StepRequest } from "./steps/step-types.ts";

/** What a person asked for; checked at the API's edge. Absent values are the image's or Docker's defaults. */
export interface ContainerSpec {
  /** Without the slash; absent: generated. */
  readonly name?: string;
  /** As it was typed: name, reference or id. */
  readonly image: string;
  readonly platform?: Platform;
  readonly hostname?: string;
  readonly domainname?: string;
  /** `name`, `uid`, `name:group`, `uid:gid`. */
  readonly user?: string;
  readonly groupAdd: readonly string[];
  /** `NAME=value`; a name alone removes the image's. */
  readonly env: readonly string[];
  /** Undefined: the image's. Empty list: none (tri-state, as the API has it). */
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly workingDir?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly tty: boolean;
  readonly stdinOpen: boolean;
  readonly stdinOnce: boolean;
  readonly attach: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly stopSignal?: string;
  readonly stopTimeoutSeconds?: number;
  /** `80/tcp`. */
  readonly exposedPorts: readonly string[];
  readonly publishAll: boolean;
  readonly ports: readonly PortRequest[];
  /** `default`, `bridge`, `none`, `host`, `container:ID` or a network's name. */
  readonly networkMode: string;
  /** The networks that it is to be in, also while it does not run; none without a network of its own. */
  readonly endpoints: readonly EndpointRequest[];
  /** It is in none, whatever its mode says. */
  readonly networkDisabled?: true;
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
  /** `host:ip`; `host-gateway` as the ip is the bridge's gateway. */
  readonly extraHosts: readonly string[];
  /** `-v` and `--mount`. */
  readonly mounts: readonly MountRequest[];
  /** `--tmpfs`: target → options such as `size=64m,mode=1777`. */
  readonly tmpfs: Readonly<Record<string, string>>;
  /** Targets that are to be volumes of their own: `-v /data`. */
  readonly volumes: readonly string[];
  /** `container`, `container:ro`. */
  readonly volumesFrom: readonly string[];
  /** Of volumes that name none; empty: `local`. */
  readonly volumeDriver: string;
  readonly readOnlyRoot: boolean;
  readonly init: boolean;
  readonly autoRemove: boolean;
  readonly privileged: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  /** As typed, but for `seccomp=`, which carries the profile itself (the client has read the file). */
  readonly securityOptions: readonly string[];
  /** Undefined: Docker's list. An empty list masks nothing (`systempaths=unconfined`). */
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly namespaces: NamespaceModes;
  readonly limits: Limits;
  readonly ulimits: readonly Ulimit[];
  /** −1000 to 1000. */
  readonly oomScoreAdj: number;
  /** Path of the parent group; absent: the daemon's. */
  readonly cgroupParent?: string;
  readonly devices: readonly DeviceRequest[];
  /** `c 1:3 rwm`. */
  readonly deviceRules: readonly string[];
  /** `--gpus`, and CDI devices by their qualified names. */
  readonly deviceRequests: readonly DeviceCapabilityRequest[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly storageOptions: Readonly<Record<string, string>>;
  readonly shmSizeBytes: number;
  readonly logging: {
    readonly driver: LogDriver;
    readonly options: Readonly<Record<string, string>>;
    /** Nobody asked for a driver: `json-file` is then a name alone, and no file is written. */
    readonly byDefault?: true;
  };
  readonly restart: RestartPolicy;
  /** Name of an OCI runtime; absent: the daemon's default. */
  readonly runtime?: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** What the request says of the health check; what it leaves out is the image's. */
  readonly healthcheck?: Healthcheck;
}

/** Docker's words for each namespace; empty: the default (`private` for ipc, pid, uts and cgroup; the daemon's for user). */
export interface NamespaceModes {
  /** `private`, `shareable`, `none`, `host`, `container:ID`. */
  readonly ipc: string;
  /** `private`, `host`, `container:ID`. */
  readonly pid: string;
  /** `private`, `host`. */
  readonly uts: string;
  /** `private`, `host`. */
  readonly cgroup: string;
  /** `host`: none although the daemon remaps; `auto[:size=N]`: a range of its own. */
  readonly user: string;
}

/** Limits on what a container uses; `update` changes them while it runs. 0 (and an empty text) is no limit but where said. */
export interface Limits {
  readonly memoryBytes: number;
  /** Memory and swap together; −1: as much swap as there is; 0: twice the memory. */
  readonly memorySwapBytes: number;
  readonly memoryReservationBytes: number;
  /** 0–100; absent: the kernel's. */
  readonly memorySwappiness?: number | undefined;
  readonly oomKillDisable: boolean;
  /** CPUs × 10⁹. */
  readonly nanoCpus: number;
  readonly cpuShares: number;
  /** Microseconds; −1: none. */
  readonly cpuQuota: number;
  /** Microseconds; 0: 100,000. */
  readonly cpuPeriod: number;
  /** Microseconds. */
  readonly cpuRealtimePeriod: number;
  readonly cpuRealtimeRuntime: number;
  /** `0-3,5`. */
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  /** 0 or less: no limit. */
  readonly pids: number;
  /** 10–1000. */
  readonly blkioWeight: number;
  readonly blkioWeightDevice: readonly { readonly path: string; readonly weight: number }[];
  /** Bytes per second. */
  readonly readBps: readonly DeviceRate[];
  readonly writeBps: readonly DeviceRate[];
  /** Operations per second. */
  readonly readIops: readonly DeviceRate[];
  readonly writeIops: readonly DeviceRate[];
}

export interface DeviceRate {
  readonly path: string;
  readonly rate: number;
}

/** `--ulimit`; −1: unlimited. */
export interface Ulimit {
  /** `nofile`, without `RLIMIT_`. */
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** `--device`. */
export interface DeviceRequest {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Of `rwm`. */
  readonly permissions: string;
}

/** `--gpus`, or `--device vendor.com/class=name` (driver `cdi`). */
export interface DeviceCapabilityRequest {
  readonly driver: string;
  /** −1: all. */
  readonly count: number;
  readonly deviceIds: readonly string[];
  /** OR of ANDs. */
  readonly capabilities: readonly (readonly string[])[];
  readonly options: Readonly<Record<string, string>>;
}

export type LogDriver = "local" | "json-file" | "none" | "syslog" | "fluentd";

export interface RestartPolicy {
  readonly name: "no" | "always" | "unless-stopped" | "on-failure";
  /** Of `on-failure`; 0: no bound. */
  readonly maximumRetries: number;
}

/** What a person wants mounted. */
export type MountRequest = BindRequest | VolumeMountRequest | TmpfsRequest | ImageMountRequest;

interface MountBase {
  /** Absolute and clean. */
  readonly target: string;
  readonly readOnly: boolean;
  /** As it was typed, for inspect's HostConfig.Binds; absent when it came by `--mount`. */
  readonly text?: string;
}

export type Propagation = "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared";

/** What Podman's modes do with the owners of what is mounted. */
interface OwnerChanges {
  /** `U`: all of it is given to the container's user. */
  readonly chown?: true;
  /** `idmap`: shown under other ids; empty: those of the container's user namespace. Else `uids=0-1000-1;gids=…`. */
  readonly idmap?: string;
}

/** A folder or file of the host that is shown in the container. */
export interface BindRequest extends MountBase, OwnerChanges {
  readonly kind: "bind";
  readonly source: string;
  /** `-v` makes a missing source folder; `--mount` does not. */
  readonly createSource: boolean;
  readonly propagation: Propagation;
  /** What is mounted below the source is not shown. */
  readonly nonRecursive?: true;
  /** Read-only ends at the top: what is mounted below it keeps its own mode (as API versions before 1.44 have it). */
  readonly readOnlyTopOnly?: true;
  /** Read-only goes all the way down, or the container does not start. */
  readonly readOnlyForced?: true;
}

/** A volume; without a name it is one of the container's own. */
export interface VolumeMountRequest extends MountBase, OwnerChanges {
  readonly kind: "volume";
  readonly name: string;
  /** Empty: the container's `volumeDriver`. */
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** It is not filled from the image. */
  readonly noCopy: boolean;
  /** A path in the volume that is shown instead of all of it. */
  readonly subpath?: string;
  readonly propagation?: Propagation;
}

/** A file system in memory (`--mount type=tmpfs`). */
export interface TmpfsRequest extends MountBase {
  readonly kind: "tmpfs";
  /** 0: the kernel's. */
  readonly sizeBytes: number;
  /** 0: the kernel's. */
  readonly mode: number;
  /** Words of mount(8): `["noexec"]`. */
  readonly options: readonly (readonly string[])[];
}

/** An image's files, to be read. */
export interface ImageMountRequest extends MountBase {
  readonly kind: "image";
  /** As typed: name, reference or id. */
  readonly source: string;
  readonly subpath?: string;
}

/** What is mounted in a container: what was asked for, with what it stands for. */
export type ContainerMount = BindRequest | VolumeMount | TmpfsRequest | ImageMount;

export interface VolumeMount extends VolumeMountRequest {
  /** A person gave it its name: it is never removed with the container. */
  readonly named: boolean;
  /** Where the volume is on the host. */
  readonly source: string;
}

export interface ImageMount extends ImageMountRequest {
  readonly imageId: Digest;
  /** The name by which the store holds the image for this mount. */
  readonly root: string;
}

export type ContainerState =
  | { readonly status: "created"; readonly error?: string; readonly exitCode?: number }
  | { readonly status: "starting" }
  | {
      readonly status: "running" | "paused";
      readonly pid: number;
      readonly startedNs: bigint;
      /** The kernel has killed a process of it for memory, and it lives on. */
      readonly oomKilled?: boolean;
    }
  | {
      readonly status: "exited";
      /** 0–255; 128+n for signal n. */
      readonly exitCode: number;
      readonly oomKilled: boolean;
      readonly startedNs: bigint;
      readonly finishedNs: bigint;
      readonly error: string;
    }
  | {
      /** It ended, and its restart policy starts it again after a while. */
      readonly status: "restarting";
      readonly exitCode: number;
      readonly oomKilled: boolean;
      readonly startedNs: bigint;
      readonly finishedNs: bigint;
      readonly error: string;
    }
  | { readonly status: "removing" }
  | { readonly status: "dead" };

/** What its health check says of a running container. */
export interface Health {
  readonly status: "starting" | "healthy" | "unhealthy";
  readonly failingStreak: number;
  /** The last five, oldest first. */
  readonly log: readonly HealthResult[];
}

export interface HealthResult {
  readonly startedNs: bigint;
  readonly endedNs: bigint;
  /** 0 healthy; −1 when the check did not end in time or could not run. */
  readonly exitCode: number;
  /** At most 4,096 bytes. */
  readonly output: string;
}

/** A container as the store knows it. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly createdNs: bigint;
  readonly spec: ContainerSpec;
  readonly imageId: Digest;
  /** The resolved process: entrypoint and command joined with the image's defaults. */
  readonly process: {
    readonly args: readonly string[];
    readonly entrypoint: readonly string[];
    readonly command: readonly string[];
    readonly env: readonly string[];
    readonly workingDir: string;
    readonly user: string;
    readonly stopSignal: string;
    /** Labels of image and request merged. */
    readonly labels: Readonly<Record<string, string>>;
    readonly exposedPorts: readonly string[];
    /** Targets that image and request declare as volumes. */
    readonly volumes?: readonly string[];
    /** Request and image merged; absent or `NONE`: no check. */
    readonly healthcheck?: Healthcheck;
    /** The program that the check runs, with the image's shell where it wants one; absent: there is none. */
    readonly probe?: readonly string[];
  };
  readonly hostname: string;
  /** Parents before what is mounted in them. */
  readonly mounts: readonly ContainerMount[];
  readonly state: ContainerState;
  readonly restartCount: number;
  /** Stopped by a person: `unless-stopped` leaves it so when the daemon starts. */
  readonly stoppedByHand: boolean;
  /** Present when it has a check and has run. */
  readonly health?: Health;
  /** From `find` alone, of one that runs: its stop signal can do nothing to its first process, and only time and KILL end it. */
  readonly ignoresStopSignal?: true;
  /** Present while it runs on a network with an address. */
  readonly attached?: Attached;
  readonly execIds: readonly string[];
  /** The file of Docker's JSON lines; empty when none is written. */
  readonly logPath: string;
  /** The ids that are its own, of `--userns auto`. */
  readonly userMapping?: IdMapping;
  readonly files: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string };
}

/** Filters as `docker ps` has them: OR in a key, AND across keys; labels AND. Unknown keys are refused at the API's edge. */
export type ContainerFilters = Readonly<Record<string, readonly string[]>>;

/** A connection to a container's or an exec's streams. Disposing it detaches. */
export interface Session extends AsyncDisposable {
  readonly tty: boolean;
  /** Ends when the streams end, or when the reader detaches by its keys. A `systemerr` item is for a person and ends the stream. */
  readonly output: AsyncIterable<OutputChunk | { readonly stream: "systemerr"; readonly text: string }>;
  /** Resolves when the container took the bytes; detach keys are found here. */
  write(bytes: Uint8Array): Promise<void>;
  /** The client's input is at its end. */
  endInput(): Promise<void>;
}

export interface AttachOptions {
  readonly streams: readonly StreamName[];
  readonly stdin: boolean;
  /** Replay the log first. */
  readonly logs: boolean;
  /** Follow after it. */
  readonly stream: boolean;
  /** `ctrl-p,ctrl-q` when undefined; empty: none. */
  readonly detachKeys?: string;
}

export interface LogOptions {
  readonly streams: readonly StreamName[];
  readonly follow: boolean;
  /** Last lines; undefined: all. */
  readonly tail?: number;
  readonly sinceNs?: bigint;
  readonly untilNs?: bigint;
}

/** One line of a log (or a part of one longer than 16 KiB), with its newline when it had one. */
export interface LogLine {
  readonly stream: StreamName;
  readonly timeNs: bigint;
  readonly bytes: Uint8Array;
}

export interface ExecSpec {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly attach: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDir: string;
  readonly privileged: boolean;
  readonly detachKeys?: string;
  readonly size?: TerminalSize;
}

/** An exec, as inspect shows it; kept five minutes after its end. */
export interface Exec {
  readonly id: string;
  readonly containerId: string;
  readonly spec: ExecSpec;
  readonly state:
    | { readonly status: "created" }
    | { readonly status: "running"; readonly pid: number }
    | { readonly status: "exited"; readonly exitCode: number; readonly pid: number };
}

/** One reading of a container's counters. */
export interface Usage extends Omit<GroupCounters, "cpu"> {
  readonly timeNs: bigint;
  /** With the whole machine's time, in the same unit as Docker's `system_cpu_usage`. */
  readonly cpu: CpuCounters & { readonly machineNs: bigint; readonly onlineCpus: number };
  /** By interface name; absent in the host's network. */
  readonly networks?: Readonly<Record<string, InterfaceCounters>>;
}

/** A reading and the one before it (absent when there was none since the container started); both absent when the container does not run. */
export interface UsageSample {
  readonly id: string;
  readonly name: string;
  readonly usage?: Usage;
  readonly before?: Usage;
}

/** A path in a container, as `GET /containers/{id}/archive` tells it. */
export interface PathFacts {
  readonly name: string;
  readonly sizeBytes: number;
  /** As from stat(2), with the type's bits. */
  readonly mode: number;
  readonly modifiedNs: bigint;
  /** Resolved inside the container's root; empty when it is no symlink. */
  readonly linkTarget: string;
}

/** What `update` changes; what is absent stays. */
export interface ContainerUpdate {
  readonly limits: Partial<Limits>;
  readonly restart?: RestartPolicy;
}

export interface CommitRequest {
  readonly reference?: Reference;
  readonly author: string;
  readonly message: string;
  readonly pause: boolean;
  /** Dockerfile instructions, as `import` takes them. */
  readonly changes: readonly string[];
  /** Takes the place of the container's own configuration. */
  readonly config?: Partial<ContainerDefaults>;
}

/** What the logs of all containers take. */
export interface LogUsage {
  readonly totalBytes: number;
  /** What could go: rotated segments of containers that do not run and whose target, where they have one, has all of it. */
  readonly old: readonly OldLog[];
}

/** A segment of a container's log. */
export interface OldLog {
  readonly containerId: string;
  /** The container's. */
  readonly name: string;
  readonly segment: number;
  readonly sizeBytes: number;
  readonly writtenNs: bigint;
}

/** Something in the containers' folders that is not as the records say. */
export interface FolderFinding {
  readonly containerId: string;
  readonly text: string;
  readonly outcome: "repaired" | "repairable" | "left";
}

export type WaitCondition = "not-running" | "next-exit" | "removed";

export interface Containers {
  create(
    spec: ContainerSpec,
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly warnings: readonly string[] }>;
  /** By id, name (with or without slash) or unique prefix. Faults: `notFound` (`No such container: X`), `invalid` when ambiguous. */
  find(nameOrId: string): Container;
  list(options: { readonly all: boolean; readonly limit?: number; readonly filters: ContainerFilters }): Container[];
  /** Faults: `notModified` when it runs, `conflict` when paused; start failures carry Docker's words and leave exit code 126/127/128 in the state. */
  start(nameOrId: string): Promise<void>;
  /** `timeoutSeconds`: −1 waits for ever, 0 kills at once, undefined is the container's own or 10. Fault `notModified` when it does not run. */
  stop(nameOrId: string, options: { readonly signal?: string; readonly timeoutSeconds?: number }): Promise<void>;
  kill(nameOrId: string, signal?: string): Promise<void>;
  restart(nameOrId: string, options: { readonly signal?: string; readonly timeoutSeconds?: number }): Promise<void>;
  pause(nameOrId: string): Promise<void>;
  unpause(nameOrId: string): Promise<void>;
  rename(nameOrId: string, name: string): void;
  remove(nameOrId: string, options: { readonly force: boolean; readonly volumes: boolean }): Promise<void>;
  prune(filters: ContainerFilters): Promise<{ readonly removed: readonly string[]; readonly reclaimedBytes: number }>;
  /** The first promise settles when the wait is registered (the API then flushes its headers); `result` when the condition holds. */
  wait(
    nameOrId: string,
    condition: WaitCondition,
    signal: AbortSignal,
  ): Promise<{ readonly result: Promise<{ readonly exitCode: number; readonly error?: string }> }>;
  top(
    nameOrId: string,
    psArgs: string,
  ): Promise<{ readonly titles: readonly string[]; readonly processes: readonly (readonly string[])[] }>;
  resize(nameOrId: string, size: TerminalSize): Promise<void>;
  /** Puts a container into a network: at once when it runs, else with its next start. Faults in Docker's words. */
  connectNetwork(nameOrId: string, endpoint: EndpointRequest): Promise<void>;
  /** Takes a container out of a network. */
  disconnectNetwork(nameOrId: string, network: string): Promise<void>;
  /** Works before `start` too: the session is then connected before the first byte. */
  attach(nameOrId: string, options: AttachOptions): Promise<Session>;
  logs(nameOrId: string, options: LogOptions, signal: AbortSignal): AsyncIterable<LogLine>;
  createExec(nameOrId: string, spec: ExecSpec): Promise<string>;
  /** Undefined when detached. Faults: `notFound` (`No such exec instance: X`), `conflict`. */
  startExec(
    execId: string,
    options: { readonly detach: boolean; readonly tty: boolean; readonly size?: TerminalSize },
  ): Promise<Session | undefined>;
  inspectExec(execId: string): Exec;
  resizeExec(execId: string, size: TerminalSize): Promise<void>;
  /** Faults: `invalid` in Docker's words, `conflict` when it cannot be changed now. Answers the warnings. */
  update(nameOrId: string, changes: ContainerUpdate): Promise<readonly string[]>;
  /**
   * Readings, one a second, until the signal or the container's removal; with `once` a single one (`oneShot`: without
   * waiting for a second reading to compare it with). A reader that is slow gets the newest one only.
   */
  stats(
    nameOrId: string,
    options: { readonly once: boolean; readonly oneShot: boolean },
    signal: AbortSignal,
  ): AsyncIterable<UsageSample>;
  /** What differs from the image, sorted by path. */
  changes(nameOrId: string): Promise<readonly RootChange[]>;
  /** Faults `notFound`: `Could not find the file PATH in container X`. */
  statPath(nameOrId: string, path: string): Promise<PathFacts>;
  /** A tar of the path, named by its last part. */
  readArchive(
    nameOrId: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly facts: PathFacts; readonly archive: AsyncIterable<Uint8Array> }>;
  /** Unpacks a tar (or one packed with gzip, bzip2, xz, zstd) into a folder of the container. */
  writeArchive(
    nameOrId: string,
    path: string,
    archive: AsyncIterable<Uint8Array>,
    options: { readonly noOverwriteDirNonDir: boolean; readonly copyUidGid: boolean },
    signal: AbortSignal,
  ): Promise<void>;
  /** A tar of the whole root filesystem, without mounts. */
  exportRoot(nameOrId: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Makes an image of the container's root filesystem. */
  commit(nameOrId: string, request: CommitRequest, signal: AbortSignal): Promise<Digest>;
  /** Bytes of the writable layers, and with the images' layers, for `ps -s`: exact, by id; containers that are gone are left out. */
  sizes(
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly writableBytes: number; readonly rootBytes: number }>>;
  logUsage(): Promise<LogUsage>;
  /** Removes a segment, if that may still be done; answers the bytes. */
  dropOldLog(log: OldLog): Promise<number>;
  /** Whether a root of the images room is a container's. */
  ownsRoot(name: string): boolean;
  /**
   * Runs one process of a build, sealing what it wrote when that is asked for. A program that cannot be started is told on
   * stderr in Docker's words and is an end with 126 or 127, an unknown user one with 125. The signal kills all of it; Fault `cancelled` then.
   */
  runStep(request: StepRequest, lease: Lease, signal: AbortSignal): Promise<StepEnd>;
  /** Compares folders with records; `repair` removes folders of no container. */
  checkFolders(options: { readonly repair: boolean }): Promise<readonly FolderFinding[]>;
  /** Ends the room. `stopContainers` is the daemon's `--stop-containers-on-exit`; otherwise they run on. */
  close(options: { readonly stopContainers: boolean }): Promise<void>;
}

export interface ContainersOptions {
  readonly host: Host;
  readonly images: Images;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly clock: Clock;
  readonly events: EventSink;
  /** Absolute path of the shim's binary, shown in containers as `/sbin/docker-init` for `--init`. */
  readonly shimPath: string;
  /** Parent of the containers' cgroups; derived from the instance when undefined. */
  readonly cgroupParent?: string;
  /** Limits that containers have which ask for none by that name: `--default-ulimit`. */
  readonly defaultUlimits?: readonly Ulimit[];
  /** Folders of CDI specifications; `/etc/cdi` and `/var/run/cdi` when absent. */
  readonly cdiFolders?: readonly string[];
  /** `--userns-remap`: `default`, `user`, `user:group`, `uid:gid`; absent: none. */
  readonly usernsRemap?: string;
  /** The daemon's own log, for what a person should know and no caller is told. */
  readonly log?: Log;
  /** Told of failures that no caller waits for, such as cleaning that did not work. */
  readonly onUnexpected?: (error: unknown) => void;
}

export type { RootChange } from "#images";
export type { StepEnd, StepMount, StepRequest } from "./steps/step-types.ts";
export { openContainers } from "./open.ts";
export { logAttributes } from "./logs/attributes.ts";
export { checkLogging } from "./logs/check-logging.ts";
export { maskedPaths, readonlyPaths } from "./config/spec.ts";
export { blankSpec, noLimits } from "./config/blank-spec.ts";
