/** One step of a mount plan; applied in order in a private mount namespace, never in the host's. */
export type MountOp =
  | { readonly op: "mkdir"; readonly path: string; readonly mode: number }
  | { readonly op: "bind"; readonly source: string; readonly target: string; readonly flags: readonly MountFlag[] }
  | {
      readonly op: "mount";
      readonly type: string;
      readonly source: string;
      readonly target: string;
      readonly flags: readonly MountFlag[];
      readonly data: string;
    }
  /** A file system of a fixed size: an ext4 image, the same one for all who mount it. */
  | { readonly op: "disk"; readonly image: string; readonly target: string }
  /** A folder or file with its owners as the container's user namespace (or a mapping of its own) has them; the target is made. */
  | { readonly op: "idmap"; readonly source: string; readonly target: string; readonly mapping?: IdMapping }
  /**
   * What is at a path inside a tree, bound at the target, which is made. `beneath`: a symlink that leads out of the tree
   * (an absolute one too) is an error; `inside`: the tree is their root. Nobody who changes the tree meanwhile gets out of it.
   */
  | {
      readonly op: "pick";
      readonly how: "beneath" | "inside";
      readonly root: string;
      readonly path: string;
      readonly target: string;
      readonly flags: readonly MountFlag[];
    }
  /** The mount that the monitor of a running container has at `source`; if that is over, or nobody is named, a new one. */
  | {
      readonly op: "share";
      /** The container's first process. */
      readonly pid: number | undefined;
      readonly source: string;
      readonly target: string;
      readonly type: string;
      readonly device: string;
      readonly flags: readonly MountFlag[];
      readonly data: string;
    }
  /** What a folder is for that process, in its own mount namespace; the target is made. A shared mount stays a peer of what it was. */
  | {
      readonly op: "graft";
      readonly pid: number;
      readonly source: string;
      readonly target: string;
      /** With what is mounted below it. */
      readonly what: "one" | "all";
    }
  | {
      readonly op: "overlay";
      readonly target: string;
      /** Topmost first; 1 to 500. */
      readonly lowers: readonly string[];
      /** Both absent: a read-only overlay. */
      readonly upper?: string;
      readonly work?: string;
      /** Further options, such as `metacopy=on`. */
      readonly options: readonly string[];
    }
  /**
   * A running container's own mounts, cloned: all of them without the kernel's own file systems, or the root alone.
   * Nosuid, nodev, noexec, and private. Whoever asks makes sure, once the program runs and before it is fed or believed,
   * that the pid is still the container's. A program with it acts as root of the container's user namespace.
   */
  | { readonly op: "live"; readonly pid: number; readonly target: string; readonly what: "all" | "root" }
  /** A bind at a path inside a tree, resolved so that no symlink leaves it; made when it is missing. */
  | {
      readonly op: "within";
      readonly root: string;
      readonly path: string;
      readonly source: string;
      readonly flags: readonly MountFlag[];
    };

export type MountFlag =
  | "rec"
  | "ro"
  | "nosuid"
  | "nodev"
  | "noexec"
  | "sync"
  | "dirsync"
  | "noatime"
  | "nodiratime"
  | "relatime"
  | "strictatime";

/** A foreign program to be run by the zygote. */
export interface Program {
  /** First the program: an absolute path, or a name looked up in the standard system folders. Of a builtin: its arguments. */
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The program is killed when it runs longer. */
  readonly timeLimitMs?: number;
  /** The shim opens this file as the program's standard input. */
  readonly stdinPath?: string;
  /** The shim creates this file (it must not exist, mode 0600) as the program's standard output. */
  readonly stdoutPath?: string;
  /** Applied first, in the program's own mount namespace. */
  readonly mounts?: readonly MountOp[];
  /** Confines the program: chrooted into a scratch root where the host's programs are read-only and this folder is `/tree` (also its working folder). */
  readonly tree?: string;
  /** One of the shim's own programs (shim/builtin.h) in place of a foreign one; the tree, which it must have, is its root. */
  readonly builtin?: "look" | "read" | "apply" | "copy" | "files";
  /** A path inside the tree to start in, resolved so that no symlink leaves the tree. */
  readonly treeFolder?: string;
  /** Enters this network namespace (a path such as `/proc/123/ns/net`). */
  readonly netns?: string;
}

/** How a program ended. */
export interface ProgramEnd {
  /** 0–255, or null when a signal ended it. */
  readonly code: number | null;
  readonly signal: number | null;
  readonly timedOut: boolean;
}

/** A program that runs; its streams carry back-pressure both ways. */
export interface RunningProgram extends AsyncDisposable {
  /** Writes to standard input; resolves when the bytes are on their way, and slows down when the program does not read them. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends standard input. */
  end(): Promise<void>;
  readonly stdout: AsyncIterable<Uint8Array>;
  /** The last 64 KiB of standard error, whole once `ended` is settled. */
  stderr(): string;
  /** Settles when the program has ended and stdout is drained. Rejects with `notFound` when there is no such program. */
  readonly ended: Promise<ProgramEnd>;
}

/** Ids of a user namespace, as user_namespaces(7) has them. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly size: number;
}

export interface IdMapping {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

/** The user namespace that a container gets, or shares with another one; the runtime finds it as `userns` in the container's folder. */
export type UserNamespace =
  | { readonly kind: "own"; readonly mapping: IdMapping }
  | { readonly kind: "shared"; readonly path: string; readonly mapping: IdMapping };

/** What a slot has of its own before its container is known. */
export interface SlotNamespaces {
  readonly newNetns: boolean;
  /** The network namespace belongs to a user namespace, which gets its ids by the start's `userNamespace`. */
  readonly newUserns?: boolean;
  /** The network namespace belongs to this user namespace: a path. */
  readonly userns?: string;
}

/** What one container start needs of the shim. */
export interface MonitorStart {
  readonly id: string;
  /** The container's exec-root folder: holds `monitor.sock`, `exit`, the pid file. */
  readonly dir: string;
  readonly log: {
    readonly dir: string;
    readonly maxSizeBytes: number;
    readonly maxFiles: number;
    readonly inMemory: boolean;
  };
  readonly tty: boolean;
  /** Set when the runtime is through; a program that looks at once needs it in the OCI config's `consoleSize` too. */
  readonly size?: TerminalSize;
  readonly stdinOpen: boolean;
  readonly stdinOnce: boolean;
  readonly mounts: readonly MountOp[];
  /** Undefined: the host's. */
  readonly userNamespace?: UserNamespace;
  /** The OCI runtime's `run --detach` with everything but `--console-socket` (the shim's client adds it for a tty). */
  readonly runtimeArgv: readonly string[];
  /** The runtime is killed after so long, and the start fails; undefined: never. */
  readonly timeLimitMs?: number;
  readonly deleteArgv: readonly string[];
  /** Where the runtime writes the container's pid (also in runtimeArgv). */
  readonly pidFile: string;
  /** The cgroup file with a line `oom_kill N`. */
  readonly oomFile?: string;
  /**
   * Absolute path of the resolver's unix socket: the container's DNS queries to 127.0.0.11 go there (docs/architecture.md
   * §5). Only for a slot with a network namespace of its own. The resolver need not listen yet.
   */
  readonly names?: string;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** A port of the host that is held for a container. */
export interface HeldPort {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** `0.0.0.0` and `::`: every address of that family, and of that one alone. */
  readonly hostIp: string;
  readonly hostPort: number;
  /** Where what reaches the socket is relayed, for an IPv6 `hostIp` alone; without it whoever connects is sent away. */
  readonly target?: { readonly ip: string; readonly port: number };
}

/** Why a port could not be held. */
export interface PortRefusal {
  /** Its place among those that were asked for. */
  readonly index: number;
  /** Such as `EADDRINUSE`. */
  readonly code: string;
  readonly text: string;
}

/** How a container's init ended, as the exit record keeps it. */
export interface ExitFacts {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: number | null;
  readonly oomKilled: boolean;
  readonly timeNs: bigint;
}

/** A place in a container's log: a record's start. */
export interface LogPosition {
  readonly segment: number;
  readonly offset: number;
}

export type StreamName = "stdout" | "stderr";

/** A piece of output, as it was read from the container; not cut at lines. */
export interface OutputChunk {
  readonly stream: StreamName;
  readonly timeNs: bigint;
  readonly bytes: Uint8Array;
}

/** What an attached client gets; `gap` ends the stream of a reader that rotation overtook. */
export type AttachItem = { readonly kind: "output"; readonly chunk: OutputChunk } | { readonly kind: "gap" };

/** A connection to a container's streams. Disposing it detaches. */
export interface Attachment extends AsyncDisposable {
  readonly output: AsyncIterable<AttachItem>;
  /** Resolves when the bytes are on their way; slows down when the container does not read them. */
  write(bytes: Uint8Array): Promise<void>;
  /** The client's input ended; closes the container's stdin when it was opened with stdinOnce or `force`. */
  endInput(force?: boolean): Promise<void>;
}

export interface AttachRequest {
  readonly streams: readonly StreamName[];
  readonly stdin: boolean;
  readonly from: "now" | LogPosition;
  /** Whether a slow but moving reader may delay the container rather than lose output (docker attach, run). */
  readonly throttle: boolean;
}

/** A program started in a running container by `exec`. */
export interface ExecStart {
  readonly runtimeArgv: readonly string[];
  readonly pidFile: string;
  readonly tty: boolean;
  readonly size?: TerminalSize;
  readonly stdin: boolean;
  /** Throw output away (docker exec -d). */
  readonly discardOutput: boolean;
  /** The runtime gets the shim's own program, sealed, as descriptor 3, and a null device as 4; it hands them on with `--preserve-fds 2`. */
  readonly givesShim?: boolean;
}

/** A running exec; its streams are live and carry back-pressure. Disposing it leaves the program running, its output discarded; its end is told all the same. */
export interface ExecSession extends AsyncDisposable {
  readonly pid: number;
  readonly output: AsyncIterable<OutputChunk>;
  write(bytes: Uint8Array): Promise<void>;
  endInput(): Promise<void>;
  resize(size: TerminalSize): Promise<void>;
  /** Kills the program and what it started in its process group. Quiet when it has ended. */
  kill(): Promise<void>;
  /** Settles after the output is drained. Rejects with `unavailable` when the monitor died. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: number | null }>;
}

/** The monitor of a container that has been started. */
export interface Monitor extends AsyncDisposable {
  attach(request: AttachRequest): Promise<Attachment>;
  /** Fault `invalid` or `notFound` with the runtime's own words when the program cannot be started. */
  exec(start: ExecStart): Promise<ExecSession>;
  resize(size: TerminalSize): Promise<void>;
  /** Sends a signal to the container's init; Fault `conflict` when it has ended. */
  signal(signal: number): Promise<void>;
  closeStdin(): Promise<void>;
  /** Leads those of its slot's held ports to new targets; connections to the old ones end. Quiet about ports that it does not hold. */
  leadPorts(ports: readonly HeldPort[]): Promise<void>;
  status(): Promise<MonitorStatus>;
  /** Whenever the container's memory runs out, with whether the kernel killed somebody; what came before the call is told at once. One listener. */
  onOutOfMemory(listener: (killed: boolean, timeNs: bigint) => void): void;
  /** What the container's keeper of logs should read, such as that connections are refused; what came before the call is told at once. One listener. */
  onWarning(listener: (text: string) => void): void;
  /** Settles when init has ended and its output is in the log. Rejects with `unavailable` when the monitor died without saying. */
  readonly exited: Promise<ExitFacts>;
  /** Settles when the runtime's delete is done too and the monitor is about to go; never rejects. */
  readonly gone: Promise<void>;
}

export type MonitorStatus =
  | { readonly state: "starting" }
  | {
      readonly state: "running";
      readonly pid: number;
      readonly startedNs: bigint;
      /** Whether the kernel has killed a process of it for memory. */
      readonly oomKilled: boolean;
    }
  | { readonly state: "exited"; readonly pid: number; readonly startedNs: bigint; readonly exit: ExitFacts };

/** A forked process with private mounts (and, if asked, a network namespace with `lo` up) that waits for its container. Disposed before `start`, all of it vanishes. */
export interface MonitorSlot extends AsyncDisposable {
  /** Its namespaces are `/proc/<pid>/ns/net` and so on. */
  readonly pid: number;
  /**
   * Holds these ports of the host, in place of those that it held before: all of them, or none when one is refused. The
   * container's monitor goes on holding them, and they are free when its end is told, or a failed start. Only for a slot
   * with a network namespace of its own, and before `start`.
   */
  holdPorts(ports: readonly HeldPort[]): Promise<PortRefusal | undefined>;
  /**
   * Starts the container: `beforeRun` is called when the monitor's socket is up and mounts are made, so that clients can
   * attach before the first byte; then the runtime runs. Rejects with a StartFailure when it cannot; nothing is left then.
   */
  start(
    start: MonitorStart,
    beforeRun?: (monitor: Monitor) => Promise<void>,
  ): Promise<{ readonly monitor: Monitor; readonly pid: number; readonly startedNs: bigint }>;
}

/** What the shim says when a start fails; `containers` turns it into Docker's words and exit codes. */
export class StartFailure extends Error {
  override readonly name = "StartFailure";
  /** `path`: a path inside of somebody's tree that the mount plan wanted followed. */
  readonly stage: "mount" | "path" | "log" | "network" | "spawn" | "runtime" | "lost";
  /** The runtime's exit status, if it ran. */
  readonly status: number | null;

  constructor(stage: StartFailure["stage"], status: number | null, message: string) {
    super(message);
    this.stage = stage;
    this.status = status;
  }
}

/** The small C program between the daemon and the processes (ARCHITECTURE §5). One zygote per exec-root; it outlives the daemon. */
export interface Shim extends AsyncDisposable {
  run(program: Program, signal?: AbortSignal): Promise<RunningProgram>;
  /** Runs a program to its end with optional input; collects stdout (at most 16 MiB, else Fault `tooLarge`) and stderr. Does not judge the exit code. */
  runToEnd(
    program: Program & { readonly input?: string | Uint8Array },
    signal?: AbortSignal,
  ): Promise<ProgramEnd & { readonly stdout: Uint8Array; readonly stderr: string }>;
  /**
   * Changes network links without starting `ip`: lines of its batch language as far as shim/linkwords.h knows it, and
   * `netns PATH` and `sysctl KEY=VALUE` (shim/links.c). The first line that fails ends it: Fault `exhausted` for a bridge
   * without a free port, else `internal`; with `each` all lines have their turn, and it is quiet.
   */
  changeLinks(lines: readonly string[], mode?: "each"): Promise<void>;
  prepareMonitor(namespaces: SlotNamespaces): Promise<MonitorSlot>;
  /** The monitor of a container that an earlier daemon started; undefined when none listens in that folder. */
  openMonitor(dir: string): Promise<Monitor | undefined>;
  /** The exit record that a monitor left in its folder, if any. */
  readExitRecord(dir: string): Promise<ExitFacts | undefined>;
}
