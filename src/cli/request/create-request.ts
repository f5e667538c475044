import { readFileSync } from "node:fs";
import type { ContainerCreateRequest, HostConfig, ThrottleDevice } from "#api/client";
import { ExitStatus } from "../command.ts";
import type { FlagValues } from "../flags/flag.ts";
import { parseSize } from "../output/size.ts";
import type { containerFlags } from "./container-flags.ts";
import { readDevices, readGpus } from "./devices.ts";
import { readNetworks } from "./endpoints.ts";
import { pairsOf, readEnv, readLabels } from "./env.ts";
import { readMount, readVolumes } from "./mounts.ts";
import { readPorts } from "./ports.ts";
import { readRestartPolicy } from "./restart-policy.ts";
import { readUlimit } from "./ulimit.ts";

export type ContainerFlags = FlagValues<typeof containerFlags>;

/** The create request for a `run` or `create`: pure but for the files that flags name. Throws an Error in Docker's words. */
export function createRequest(
  flags: ContainerFlags,
  changed: ReadonlySet<string>,
  image: string,
  command: readonly string[],
): ContainerCreateRequest {
  const attach = attached(flags);
  const ports = readPorts(flags.publish, flags.expose);
  const { binds, volumes } = readVolumes(flags.volume);
  const healthcheck = readHealth(flags, changed);
  return {
    Hostname: flags.hostname,
    Domainname: flags.domainname,
    User: flags.user,
    AttachStdin: attach.has("STDIN"),
    AttachStdout: attach.has("STDOUT"),
    AttachStderr: attach.has("STDERR"),
    ExposedPorts: ports.exposed,
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && attach.has("STDIN"),
    Env: readEnv(flags["env-file"], flags.env),
    Cmd: command.length === 0 ? null : command,
    Image: image,
    Volumes: volumes,
    WorkingDir: flags.workdir,
    Entrypoint: changed.has("entrypoint") ? [flags.entrypoint] : null,
    Labels: readLabels(flags["label-file"], flags.label),
    ...(healthcheck !== undefined && { Healthcheck: healthcheck }),
    ...(flags["stop-signal"] !== "" && { StopSignal: flags["stop-signal"] }),
    ...(changed.has("stop-timeout") && { StopTimeout: flags["stop-timeout"] }),
    HostConfig: {
      ...hostSettings(flags, changed),
      ...resources(flags, changed),
      ...mountsOf(flags, binds),
      PortBindings: ports.bindings,
    },
    NetworkingConfig: { EndpointsConfig: readNetworks(flags).endpoints },
  };
}

/** The streams to connect to: those of `-a`, or else the output, and the input with `-i`. */
export function attached(flags: Pick<ContainerFlags, "attach" | "interactive">): ReadonlySet<string> {
  if (flags.attach.length > 0) return new Set(flags.attach);
  return new Set(["STDOUT", "STDERR", ...(flags.interactive ? ["STDIN"] : [])]);
}

function hostSettings(flags: ContainerFlags, changed: ReadonlySet<string>): Partial<HostConfig> {
  const security = securityOptions(flags["security-opt"]);
  return {
    ContainerIDFile: flags.cidfile,
    LogConfig: { Type: flags["log-driver"], Config: pairsOf(flags["log-opt"]) },
    NetworkMode: readNetworks(flags).mode,
    RestartPolicy: restartPolicy(flags),
    AutoRemove: flags.rm,
    VolumeDriver: flags["volume-driver"],
    VolumesFrom: orNull(flags["volumes-from"]),
    ...(flags.annotation.length > 0 && { Annotations: pairsOf(flags.annotation) }),
    CapAdd: orNull(flags["cap-add"].map(capability)),
    CapDrop: orNull(flags["cap-drop"].map(capability)),
    CgroupnsMode: flags.cgroupns,
    Dns: flags.dns,
    DnsOptions: [...flags["dns-option"], ...flags["dns-opt"]],
    DnsSearch: flags["dns-search"],
    ExtraHosts: orNull(flags["add-host"]),
    GroupAdd: orNull(flags["group-add"]),
    IpcMode: flags.ipc,
    Links: orNull(flags.link),
    OomScoreAdj: flags["oom-score-adj"],
    PidMode: flags.pid,
    Privileged: flags.privileged,
    PublishAllPorts: flags["publish-all"],
    ReadonlyRootfs: flags["read-only"],
    SecurityOpt: orNull(security.options),
    ...(security.unmasked && { MaskedPaths: [], ReadonlyPaths: [] }),
    ...(flags["storage-opt"].length > 0 && { StorageOpt: pairsOf(flags["storage-opt"]) }),
    ...(flags.sysctl.length > 0 && { Sysctls: pairsOf(flags.sysctl) }),
    UTSMode: flags.uts,
    UsernsMode: flags.userns,
    ShmSize: flags["shm-size"],
    Runtime: flags.runtime,
    Isolation: flags.isolation,
    ...(changed.has("init") && { Init: flags.init }),
  };
}

function resources(flags: ContainerFlags, changed: ReadonlySet<string>): Partial<HostConfig> {
  const { devices, requests } = readDevices(flags.device);
  const deviceRequests = [...requests, ...flags.gpus.map(readGpus)];
  return {
    CgroupParent: flags["cgroup-parent"],
    CpuShares: flags["cpu-shares"],
    Memory: flags.memory,
    NanoCpus: flags.cpus,
    BlkioWeight: flags["blkio-weight"],
    BlkioWeightDevice: flags["blkio-weight-device"].map((item) => ({
      Path: devicePath(item),
      Weight: deviceNumber(item, Number),
    })),
    BlkioDeviceReadBps: flags["device-read-bps"].map((item) => throttle(item, parseSize)),
    BlkioDeviceWriteBps: flags["device-write-bps"].map((item) => throttle(item, parseSize)),
    BlkioDeviceReadIOps: flags["device-read-iops"].map((item) => throttle(item, Number)),
    BlkioDeviceWriteIOps: flags["device-write-iops"].map((item) => throttle(item, Number)),
    CpuPeriod: flags["cpu-period"],
    CpuQuota: flags["cpu-quota"],
    CpuRealtimePeriod: flags["cpu-rt-period"],
    CpuRealtimeRuntime: flags["cpu-rt-runtime"],
    CpusetCpus: flags["cpuset-cpus"],
    CpusetMems: flags["cpuset-mems"],
    Devices: devices,
    DeviceCgroupRules: orNull(flags["device-cgroup-rule"]),
    DeviceRequests: deviceRequests.length === 0 ? null : deviceRequests,
    MemoryReservation: flags["memory-reservation"],
    MemorySwap: flags["memory-swap"],
    MemorySwappiness: flags["memory-swappiness"],
    OomKillDisable: flags["oom-kill-disable"],
    PidsLimit: changed.has("pids-limit") ? flags["pids-limit"] : 0,
    Ulimits: flags.ulimit.map(readUlimit),
    CpuCount: flags["cpu-count"],
    CpuPercent: flags["cpu-percent"],
    IOMaximumIOps: flags["io-maxiops"],
    IOMaximumBandwidth: flags["io-maxbandwidth"],
  };
}

function mountsOf(flags: ContainerFlags, binds: readonly string[]): Partial<HostConfig> {
  const tmpfs = flags.tmpfs.map((item): [string, string] => {
    const colon = item.indexOf(":");
    return colon < 0 ? [item, ""] : [item.slice(0, colon), item.slice(colon + 1)];
  });
  return {
    Binds: orNull(binds),
    ...(tmpfs.length > 0 && { Tmpfs: Object.fromEntries(tmpfs) }),
    ...(flags.mount.length > 0 && { Mounts: flags.mount.map(readMount) }),
  };
}

function restartPolicy(flags: ContainerFlags): HostConfig["RestartPolicy"] {
  const policy = readRestartPolicy(flags.restart);
  if (flags.rm && policy.Name !== "no" && policy.Name !== "")
    throw new Error("conflicting options: cannot specify both --restart and --rm");
  return policy;
}

function readHealth(flags: ContainerFlags, changed: ReadonlySet<string>): ContainerCreateRequest["Healthcheck"] {
  const given = [...changed].some((name) => name.startsWith("health-"));
  if (flags["no-healthcheck"]) {
    if (given) throw new Error("--no-healthcheck conflicts with --health-* options");
    return { Test: ["NONE"] };
  }
  if (!given) return undefined;
  if (flags["health-retries"] < 0) throw new Error("--health-retries cannot be negative");
  return {
    ...(flags["health-cmd"] !== "" && { Test: ["CMD-SHELL", flags["health-cmd"]] }),
    Interval: flags["health-interval"],
    Timeout: flags["health-timeout"],
    StartPeriod: flags["health-start-period"],
    StartInterval: flags["health-start-interval"],
    Retries: flags["health-retries"],
  };
}

/** A seccomp profile is read here and sent in full; `systempaths=unconfined` has fields of its own. */
function securityOptions(items: readonly string[]): { options: string[]; unmasked: boolean } {
  const options: string[] = [];
  let unmasked = false;
  for (const item of items) {
    const [key, value] = item.split(/[=:](.*)/s);
    if (value === undefined && key !== "no-new-privileges" && key !== "writable-cgroups")
      throw new Error(`Invalid --security-opt: ${JSON.stringify(item)}`);
    if (key === "systempaths" && value === "unconfined") unmasked = true;
    else if (key === "seccomp" && value !== "unconfined" && value !== "builtin")
      options.push(`seccomp=${readProfile(value ?? "")}`);
    else options.push(item);
  }
  return { options, unmasked };
}

function readProfile(path: string): string {
  try {
    return JSON.stringify(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    throw new Error(`opening seccomp profile (${path}) failed: ${reasonOf(error, path)}`, { cause: error });
  }
}

/** Docker sends capabilities by their full names. */
function capability(name: string): string {
  const upper = name.trim().toUpperCase();
  return upper === "ALL" || upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
}

function reasonOf(error: unknown, path: string): string {
  const { code, message } = error as Error & { code?: string };
  return code === "ENOENT" ? `open ${path}: no such file or directory` : message;
}

/** `/dev/sda:1mb` */
function throttle(item: string, read: (text: string) => number): ThrottleDevice {
  return { Path: devicePath(item), Rate: deviceNumber(item, read) };
}

function devicePath(item: string): string {
  const path = item.slice(0, Math.max(0, item.lastIndexOf(":")));
  if (!path.startsWith("/dev/")) throw new Error(`bad format for device path: ${item}`);
  return path;
}

function deviceNumber(item: string, read: (text: string) => number): number {
  const value = read(item.slice(item.lastIndexOf(":") + 1));
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`invalid rate or weight for device: ${item}`);
  return value;
}

function orNull<Item>(items: readonly Item[]): readonly Item[] | null {
  return items.length === 0 ? null : items;
}

/** `-a` and `-d` exclude each other; Docker ends with 1 here, and not with 125. */
export function refuseAttachAndDetach(flags: Pick<ContainerFlags, "attach">): void {
  if (flags.attach.length > 0)
    throw new ExitStatus(1, "conflicting options: cannot specify both --attach and --detach");
}
