/** The part of the OCI runtime specification's `config.json` that Slipway writes (runtime-spec config.md, config-linux.md). */
export interface RuntimeSpec {
  readonly ociVersion: string;
  readonly process: RuntimeProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname?: string;
  /** Since OCI 1.1; runc before 1.2 passes over it. */
  readonly domainname?: string;
  readonly mounts: readonly RuntimeMount[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly hooks?: RuntimeHooks;
  readonly linux: RuntimeLinux;
}

/** Programs of the host that the runtime runs at points of a container's life, by point (config.md#posix-platform-hooks). */
export type RuntimeHooks = Readonly<Record<string, readonly RuntimeHook[]>>;

export interface RuntimeHook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

/** config.md#process; also the document of `exec --process`. */
export interface RuntimeProcess {
  readonly terminal: boolean;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: {
    readonly bounding: readonly string[];
    readonly effective: readonly string[];
    readonly permitted: readonly string[];
  };
  readonly noNewPrivileges: boolean;
  /** A profile that the machine has loaded. */
  readonly apparmorProfile?: string;
  readonly oomScoreAdj?: number;
  readonly rlimits?: readonly RuntimeRlimit[];
  readonly consoleSize?: { readonly height: number; readonly width: number };
}

/** `RLIMIT_NOFILE`; no limit is a number that JavaScript cannot hold, as raw JSON. */
export interface RuntimeRlimit {
  readonly type: string;
  readonly soft: number | object;
  readonly hard: number | object;
}

export interface RuntimeMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface RuntimeLinux {
  readonly cgroupsPath: string;
  readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
  readonly uidMappings?: readonly RuntimeIdRange[];
  readonly gidMappings?: readonly RuntimeIdRange[];
  readonly resources: RuntimeResources;
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly devices?: readonly RuntimeDevice[];
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly rootfsPropagation: string;
}

/** config-linux.md#user-namespace-mappings */
export interface RuntimeIdRange {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface RuntimeDevice {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface RuntimeResources {
  readonly devices: readonly DeviceRule[];
  readonly memory?: RuntimeMemory;
  readonly cpu?: RuntimeCpu;
  readonly pids?: { readonly limit: number };
  readonly blockIO?: {
    readonly weight?: number;
    readonly weightDevice?: readonly { readonly major: number; readonly minor: number; readonly weight: number }[];
    readonly throttleReadBpsDevice?: readonly DeviceThrottle[];
    readonly throttleWriteBpsDevice?: readonly DeviceThrottle[];
    readonly throttleReadIOPSDevice?: readonly DeviceThrottle[];
    readonly throttleWriteIOPSDevice?: readonly DeviceThrottle[];
  };
}

/** Bytes; −1: no limit. */
export interface RuntimeMemory {
  readonly limit?: number;
  /** Memory and swap together. */
  readonly swap?: number;
  readonly reservation?: number;
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
}

/** Microseconds. */
export interface RuntimeCpu {
  readonly shares?: number;
  readonly quota?: number;
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
  readonly mems?: string;
}

export interface DeviceThrottle {
  readonly major: number;
  readonly minor: number;
  /** Per second. */
  readonly rate: number;
}

export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: "c" | "b" | "a";
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly {
    readonly index: number;
    readonly value: number;
    readonly valueTwo?: number;
    readonly op: string;
  }[];
}
