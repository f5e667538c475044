/** The door of `containers/`: state machine, OCI spec, start, stop, exec, attach, logs, events, reconcile. */
import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import type { EventSink } from "#core/event";
import type { Healthcheck, Platform } from "#core/oci";
import type { Host, OutputChunk, StreamName, TerminalSize } from "#host";
import type { Images } from "#images";
import type { Endpoint, Networks, PortRequest } from "#networks";

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
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
  /** `host:ip`; `host-gateway` as the ip is the bridge's gateway. */
  readonly extraHosts: readonly string[];
  readonly binds: readonly BindRequest[];
  /** Target → options such as `size=64m,mode=1777`. */
  readonly tmpfs: Readonly<Record<string, string>>;
  readonly readOnlyRoot: boolean;
  readonly init: boolean;
  readonly autoRemove: boolean;
  readonly privileged: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  /** Only `no-new-privileges[:bool]`, `seccomp=unconfined` and `seccomp=builtin` so far. */
  readonly securityOptions: readonly string[];
  readonly limits: {
    /** 0: no limit. */
    readonly memoryBytes: number;
    /** CPUs × 10⁹; 0: no limit. */
    readonly nanoCpus: number;
    /** 0 or less: no limit. */
    readonly pids: number;
  };
  readonly shmSizeBytes: number;
  readonly logging: {
    readonly driver: "local" | "json-file" | "none";
    readonly options: Readonly<Record<string, string>>;
  };
  /** Name of an OCI runtime; absent: the daemon's default. */
  readonly runtime?: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Carried for inspect; health checks run from a later version on. */
  readonly healthcheck?: Healthcheck;
}

/** A folder or file of the host that is shown in the container. */
export interface BindRequest {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** `-v` makes a missing source folder; `--mount` does not. */
  readonly createSource: boolean;
  readonly propagation: "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared";
  /** Read-only ends at the top: what is mounted below it keeps its own mode (as API versions before 1.44 have it). */
  readonly readOnlyTopOnly?: true;
  /** As it was typed, for inspect's HostConfig.Binds; absent when it came by `--mount`. */
  readonly text?: string;
}

export type ContainerState =
  | { readonly status: "created"; readonly error?: string; readonly exitCode?: number }
  | { readonly status: "starting" }
  | { readonly status: "running"; readonly pid: number; readonly startedNs: bigint }
  | { readonly status: "paused"; readonly pid: number; readonly startedNs: bigint }
  | {
      readonly status: "exited";
      /** 0–255; 128+n for signal n. */
      readonly exitCode: number;
      readonly oomKilled: boolean;
      readonly startedNs: bigint;
      readonly finishedNs: bigint;
      readonly error: string;
    }
  | { readonly status: "removing" }
  | { readonly status: "dead" };

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
  };
  readonly hostname: string;
  readonly state: ContainerState;
  readonly restartCount: number;
  /** Present while it runs on a network with an address. */
  readonly endpoint?: Endpoint;
  readonly execIds: readonly string[];
  readonly logPath: string;
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
  /** Bytes of the writable layer, and with the image's layers, for `ps -s`. */
  sizes(nameOrId: string): Promise<{ readonly writableBytes: number; readonly rootBytes: number }>;
  /** Ends the room. `stopContainers` is the daemon's `--stop-containers-on-exit`; otherwise they run on. */
  close(options: { readonly stopContainers: boolean }): Promise<void>;
}

export interface ContainersOptions {
  readonly host: Host;
  readonly images: Images;
  readonly networks: Networks;
  readonly clock: Clock;
  readonly events: EventSink;
  /** Absolute path of the shim's binary, shown in containers as `/sbin/docker-init` for `--init`. */
  readonly shimPath: string;
  /** Parent of the containers' cgroups; derived from the instance when undefined. */
  readonly cgroupParent?: string;
  /** Told of failures that no caller waits for, such as cleaning that did not work. */
  readonly onUnexpected?: (error: unknown) => void;
}

export { openContainers } from "./open.ts";
export { maskedPaths, readonlyPaths } from "./config/spec.ts";
