import type { IdMapping } from "#host";
import type { ContainerDevices } from "./device-access.ts";
import { runtimeResources } from "./resources.ts";
import { defaultMounts, fileMounts, sortMounts, tmpfsMount } from "./spec-mounts.ts";
import { type EnteredNamespaces, runtimeNamespaces } from "./namespaces.ts";
import type { SecurityOptions } from "./security-options.ts";
import type { ContainerSpec } from "../containers.ts";
import type {
  RuntimeIdRange,
  RuntimeLinux,
  RuntimeMount,
  RuntimeProcess,
  RuntimeRlimit,
  RuntimeSpec,
} from "./runtime-spec.ts";
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
  /** Device nodes beside those that every container has, and what comes with them. */
  readonly devices: ContainerDevices;
  readonly rlimits: readonly RuntimeRlimit[];
  /** Where the monitor mounts the root filesystem. */
  readonly rootPath: string;
  readonly cgroupsPath: string;
  readonly security: SecurityOptions;
  /** Without `network`: the host's. */
  readonly entered: EnteredNamespaces;
  /** Of the user namespace that `entered` names. */
  readonly userMapping: IdMapping | undefined;
  /** The /dev/shm of the container whose IPC namespace it enters. */
  readonly joinedShm: string | undefined;
  /** Files shown as /etc/hosts, /etc/hostname, /etc/resolv.conf. */
  readonly files: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string };
  /** What the container has mounted beside what every one has, and its `--tmpfs`. */
  readonly mounts: readonly RuntimeMount[];
  /** The shim's binary, for `--init`. */
  readonly shimPath: string;
  readonly facts: {
    /** Least OOM score that may be given. */
    readonly lowestOomScore: number;
    /** The processors' throttle counters, to be masked. */
    readonly throttleFolders: readonly string[];
    readonly apparmor: boolean;
  };
}

/** The container as the OCI runtime is asked to make it. The seccomp profile, being a large text that many share, is added by `bundleText`. */
export function runtimeSpec(inputs: SpecInputs): RuntimeSpec {
  const { spec } = inputs;
  return {
    ociVersion: "1.0.2",
    process: containerProcess(inputs),
    root: { path: inputs.rootPath, readonly: spec.readOnlyRoot },
    ...names(inputs),
    mounts: sortMounts([
      ...defaultMounts(spec, inputs),
      ...fileMounts(inputs.files, inputs.mounts),
      ...inputs.mounts,
      ...Object.entries(spec.tmpfs).map(([target, options]) => tmpfsMount(target, options)),
      ...inputs.devices.mounts,
      ...(spec.init ? [initMount(inputs.shimPath)] : []),
    ]),
    ...(Object.keys(inputs.devices.hooks).length > 0 && { hooks: inputs.devices.hooks }),
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
    user: withGroups(inputs.user.ids, inputs.devices.groups),
    args: spec.init ? [initPath, "init", "--", ...inputs.args] : inputs.args,
    env: [...inputs.env, ...inputs.devices.env],
    cwd: inputs.workingDir,
    capabilities: processCapabilities(inputs.capabilities, inputs.user.ids.uid),
    ...processConfinement(inputs.security, facts.apparmor),
    ...oomScore(spec, facts),
    ...(inputs.rlimits.length > 0 && { rlimits: inputs.rlimits }),
  };
}

/** An OOM score that may not be set is left as the daemon's own. */
function oomScore(
  { oomScoreAdj }: Pick<ContainerSpec, "oomScoreAdj">,
  { lowestOomScore }: { readonly lowestOomScore: number },
): Pick<RuntimeProcess, "oomScoreAdj"> {
  return oomScoreAdj >= lowestOomScore ? { oomScoreAdj } : {};
}

function withGroups(user: RuntimeProcess["user"], groups: readonly number[]): RuntimeProcess["user"] {
  return { ...user, additionalGids: [...new Set([...user.additionalGids, ...groups])] };
}

/** What execve would leave: a user other than root has the bounding set alone. */
export function processCapabilities(capabilities: readonly string[], uid: number): RuntimeProcess["capabilities"] {
  const effective = uid === 0 ? capabilities : [];
  return { bounding: capabilities, effective, permitted: effective };
}

/** What `--security-opt` changes of every process of the container; AppArmor's name where the machine has it. */
export function processConfinement(
  { noNewPrivileges, apparmor }: SecurityOptions,
  hasApparmor: boolean,
): Pick<RuntimeProcess, "noNewPrivileges" | "apparmorProfile"> {
  return { noNewPrivileges, ...(hasApparmor && apparmor !== undefined && { apparmorProfile: apparmor }) };
}

function linuxPart(inputs: SpecInputs): RuntimeLinux {
  const { spec } = inputs;
  return {
    cgroupsPath: inputs.cgroupsPath,
    namespaces: runtimeNamespaces(spec.namespaces, inputs.entered),
    ...idMappings(inputs.userMapping),
    resources: runtimeResources(spec.limits, inputs.devices.blockDevices, inputs.devices.rules),
    ...sysctls(inputs),
    ...(inputs.devices.nodes.length > 0 && { devices: inputs.devices.nodes }),
    maskedPaths: spec.maskedPaths ?? (spec.privileged ? [] : [...maskedPaths, ...inputs.facts.throttleFolders]),
    readonlyPaths: spec.readonlyPaths ?? (spec.privileged ? [] : readonlyPaths),
    rootfsPropagation: rootPropagation(inputs.mounts),
  };
}

/** The names of its UTS namespace. In a user namespace the domain name cannot be set as a sysctl. */
function names({ spec, hostname, userMapping }: SpecInputs): Pick<RuntimeSpec, "hostname" | "domainname"> {
  if (spec.namespaces.uts === "host") return {};
  const hasField = userMapping !== undefined && spec.domainname !== undefined;
  return { hostname, ...(hasField && { domainname: spec.domainname }) };
}

/** Told beside the namespace's path: the runtimes look there for who its root is. */
function idMappings(mapping: IdMapping | undefined): Pick<RuntimeLinux, "uidMappings" | "gidMappings"> {
  if (mapping === undefined) return {};
  const told = (ranges: IdMapping["uids"]): RuntimeIdRange[] =>
    ranges.map(({ inside, outside, size }) => ({ containerID: inside, hostID: outside, size }));
  return { uidMappings: told(mapping.uids), gidMappings: told(mapping.gids) };
}

/** Runtimes before OCI 1.1 have no field for the domain name. What a network of its own wants set is set when it is made; a request's own come later. */
function sysctls({ spec, userMapping }: SpecInputs): Pick<RuntimeLinux, "sysctl"> {
  const hasOwnName = spec.domainname !== undefined && spec.namespaces.uts !== "host" && userMapping === undefined;
  const sysctl = { ...(hasOwnName && { "kernel.domainname": spec.domainname }), ...spec.sysctls };
  return Object.keys(sysctl).length === 0 ? {} : { sysctl };
}

/** A bind that shares its mounts with the host can only do so when the root does not cut them off. */
function rootPropagation(mounts: readonly RuntimeMount[]): string {
  const wanted = new Set(mounts.flatMap(({ options }) => options));
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
