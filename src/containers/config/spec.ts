import { defaultDeviceRules, privilegedDeviceRules } from "./devices.ts";
import { bindMount, defaultMounts, fileMounts, sortMounts, tmpfsMount } from "./spec-mounts.ts";
import type { ContainerSpec } from "../containers.ts";
import type { RuntimeDevice, RuntimeLinux, RuntimeProcess, RuntimeResources, RuntimeSpec } from "./runtime-spec.ts";
import type { ResolvedUser } from "./user.ts";

/** All that decides a container's `config.json`; no more is read while it is made. */
export interface SpecInputs {
  readonly spec: ContainerSpec;
  readonly annotations: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  /** The container's environment, whole. */
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly hostname: string;
  readonly user: ResolvedUser;
  readonly capabilities: readonly string[];
  /** Device nodes beside those that every container has. */
  readonly devices: readonly RuntimeDevice[];
  /** Where the monitor mounts the root filesystem. */
  readonly rootPath: string;
  readonly cgroupsPath: string;
  /** The network namespace to enter; undefined: the host's. */
  readonly networkNamespace: string | undefined;
  /** Files shown as /etc/hosts, /etc/hostname, /etc/resolv.conf. */
  readonly files: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string };
  /** Sources of binds that are no folders. */
  readonly boundFiles: ReadonlySet<string>;
  /** The shim's binary, for `--init`. */
  readonly shimPath: string;
  readonly facts: {
    /** Whether OOM scores may be lowered (CAP_SYS_RESOURCE). */
    readonly mayLowerOomScore: boolean;
    /** The processors' throttle counters, to be masked. */
    readonly throttleFolders: readonly string[];
    /** Whether the kernel limits swap by cgroup. */
    readonly swapLimit: boolean;
  };
}

/** The container as the OCI runtime is asked to make it. The seccomp profile, being a large text that many share, is added by `bundleText`. */
export function runtimeSpec(inputs: SpecInputs): RuntimeSpec {
  const { spec } = inputs;
  return {
    ociVersion: "1.0.2",
    process: containerProcess(inputs),
    root: { path: inputs.rootPath, readonly: spec.readOnlyRoot },
    hostname: inputs.hostname,
    mounts: sortMounts([
      ...defaultMounts(spec),
      ...fileMounts(inputs.files, spec),
      ...spec.binds.map((bind) => bindMount(bind, !inputs.boundFiles.has(bind.source))),
      ...Object.entries(spec.tmpfs).map(([target, options]) => tmpfsMount(target, options)),
      ...(spec.init ? [initMount(inputs.shimPath)] : []),
    ]),
    ...(Object.keys(inputs.annotations).length > 0 && { annotations: inputs.annotations }),
    linux: linuxPart(inputs),
  };
}

/** The text of `config.json`; `seccomp` is the profile as JSON text, undefined for none. */
export function bundleText(spec: RuntimeSpec, seccomp: string | undefined): string {
  if (seccomp === undefined) return JSON.stringify(spec);
  const { linux, ...rest } = spec;
  return `${JSON.stringify(rest).slice(0, -1)},"linux":${JSON.stringify(linux).slice(0, -1)},"seccomp":${seccomp}}}`;
}

/** Where `--init` shows the shim's binary in the container. */
export const initPath = "/sbin/docker-init";

function containerProcess(inputs: SpecInputs): RuntimeProcess {
  const { spec, facts } = inputs;
  return {
    terminal: spec.tty,
    user: inputs.user.ids,
    args: spec.init ? [initPath, "init", "--", ...inputs.args] : inputs.args,
    env: inputs.env,
    cwd: inputs.workingDir,
    capabilities: processCapabilities(inputs.capabilities, inputs.user.ids.uid),
    noNewPrivileges: noNewPrivileges(spec.securityOptions),
    ...(facts.mayLowerOomScore && { oomScoreAdj: 0 }),
  };
}

/** What execve would leave: a user other than root has the bounding set alone. */
export function processCapabilities(capabilities: readonly string[], uid: number): RuntimeProcess["capabilities"] {
  const effective = uid === 0 ? capabilities : [];
  return { bounding: capabilities, effective, permitted: effective };
}

/** Whether `--security-opt no-new-privileges` was given. */
export function noNewPrivileges(securityOptions: readonly string[]): boolean {
  return securityOptions.some((option) => /^no-new-privileges(?:[:=]true)?$/.test(option));
}

function linuxPart(inputs: SpecInputs): RuntimeLinux {
  const { spec, networkNamespace } = inputs;
  const own = ["pid", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type }));
  return {
    cgroupsPath: inputs.cgroupsPath,
    namespaces: networkNamespace === undefined ? own : [...own, { type: "network", path: networkNamespace }],
    resources: resources(spec, inputs.facts.swapLimit),
    ...sysctls(inputs),
    ...(inputs.devices.length > 0 && { devices: inputs.devices }),
    maskedPaths: spec.privileged ? [] : [...maskedPaths, ...inputs.facts.throttleFolders],
    readonlyPaths: spec.privileged ? [] : readonlyPaths,
    rootfsPropagation: rootPropagation(spec),
  };
}

/** Runtimes before OCI 1.1 have no field for the domain name. What a network of its own wants set is set when it is made. */
function sysctls({ spec }: SpecInputs): Pick<RuntimeLinux, "sysctl"> {
  return spec.domainname === undefined ? {} : { sysctl: { "kernel.domainname": spec.domainname } };
}

function resources({ privileged, limits }: ContainerSpec, swapLimit: boolean): RuntimeResources {
  return {
    devices: privileged ? privilegedDeviceRules : defaultDeviceRules,
    ...(limits.memoryBytes > 0 && {
      // Memory and swap together: as much swap again as memory, Docker's rule.
      memory: { limit: limits.memoryBytes, ...(swapLimit && { swap: limits.memoryBytes * 2 }) },
    }),
    ...(limits.nanoCpus > 0 && { cpu: { quota: Math.floor(limits.nanoCpus / 10_000), period: 100_000 } }),
    ...(limits.pids > 0 && { pids: { limit: limits.pids } }),
  };
}

/** A bind that shares its mounts with the host can only do so when the root does not cut them off. */
function rootPropagation(spec: ContainerSpec): string {
  const wanted = new Set(spec.binds.map((bind) => bind.propagation));
  if (wanted.has("shared") || wanted.has("rshared")) return "shared";
  if (wanted.has("slave") || wanted.has("rslave")) return "rslave";
  return "rprivate";
}

function initMount(shimPath: string): RuntimeSpec["mounts"][number] {
  return { destination: initPath, type: "bind", source: shimPath, options: ["bind", "ro", "rprivate"] };
}

/** What a container sees of /proc and /sys as nothing (Docker's list), beside the processors' throttle counters. */
export const maskedPaths: readonly string[] = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];

/** What it sees as read-only (Docker's list). */
export const readonlyPaths: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];
