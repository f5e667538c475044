import type { ApiVersion, HostConfig, MountRequest, PortBinding, PortMap } from "#api/wire";
import { type ContainerSpec, maskedPaths, readonlyPaths } from "#containers";
import type { PortRequest } from "#networks";
import { apiVersion } from "#api/wire";
import { shownNetworkMode } from "./container-network.ts";

/** What the answer takes from the machine. */
export interface MachineFacts {
  readonly defaultRuntime: string;
  readonly limitsSwap: boolean;
  /** Folders of /sys that are masked where the machine has them. */
  readonly throttleFolders: readonly string[];
}

/** The whole `HostConfig` of inspect, defaults included. */
export function hostConfigAnswer(spec: ContainerSpec, version: ApiVersion, machine: MachineFacts): HostConfig {
  return {
    ...storage(spec),
    ContainerIDFile: "",
    LogConfig: { Type: spec.logging.driver, Config: spec.logging.options },
    NetworkMode: shownNetworkMode(spec.networkMode),
    PortBindings: portBindings(spec.ports),
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
    AutoRemove: spec.autoRemove,
    VolumeDriver: "",
    VolumesFrom: null,
    ConsoleSize: [0, 0],
    ...(Object.keys(spec.annotations).length > 0 && { Annotations: spec.annotations }),
    CapAdd: orNull(spec.capAdd),
    CapDrop: orNull(spec.capDrop),
    CgroupnsMode: "private",
    Dns: spec.dns,
    DnsOptions: spec.dnsOptions,
    DnsSearch: spec.dnsSearch,
    ExtraHosts: orNull(spec.extraHosts),
    GroupAdd: orNull(spec.groupAdd),
    IpcMode: "private",
    Cgroup: "",
    Links: null,
    OomScoreAdj: 0,
    PidMode: "",
    Privileged: spec.privileged,
    PublishAllPorts: spec.publishAll,
    ReadonlyRootfs: spec.readOnlyRoot,
    SecurityOpt: orNull(spec.securityOptions),
    UTSMode: "",
    UsernsMode: "",
    ShmSize: spec.shmSizeBytes,
    Runtime: spec.runtime ?? machine.defaultRuntime,
    Isolation: "",
    ...resources(spec, machine),
    ...(version < apiVersion("1.44") && { KernelMemory: 0, KernelMemoryTCP: 0 }),
    MaskedPaths: spec.privileged ? null : [...maskedPaths, ...machine.throttleFolders],
    ReadonlyPaths: spec.privileged ? null : readonlyPaths,
    ...(spec.init && { Init: true }),
  };
}

function resources({ limits }: ContainerSpec, { limitsSwap }: MachineFacts) {
  return {
    CpuShares: 0,
    Memory: limits.memoryBytes,
    NanoCpus: limits.nanoCpus,
    CgroupParent: "",
    BlkioWeight: 0,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [],
    CpuPeriod: 0,
    CpuQuota: 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: "",
    CpusetMems: "",
    Devices: [],
    DeviceCgroupRules: null,
    DeviceRequests: null,
    MemoryReservation: 0,
    // As Docker has it, a memory limit alone allows as much swap again.
    MemorySwap: limitsSwap || limits.memoryBytes === 0 ? limits.memoryBytes * 2 : -1,
    MemorySwappiness: null,
    OomKillDisable: null,
    PidsLimit: limits.pids > 0 ? limits.pids : null,
    Ulimits: [],
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}

function storage({ binds, tmpfs }: ContainerSpec) {
  const typed = binds.flatMap(({ text }) => (text === undefined ? [] : [text]));
  const mounts: MountRequest[] = binds
    .filter(({ text }) => text === undefined)
    .map(({ source, target, readOnly }) => ({ Type: "bind", Source: source, Target: target, ReadOnly: readOnly }));
  return {
    Binds: orNull(typed),
    ...(Object.keys(tmpfs).length > 0 && { Tmpfs: tmpfs }),
    ...(mounts.length > 0 && { Mounts: mounts }),
  };
}

function portBindings(ports: readonly PortRequest[]): PortMap {
  const bindings = new Map<string, PortBinding[]>();
  for (const { protocol, containerPort, hostIp, hostPort } of ports) {
    const key = `${containerPort}/${protocol}`;
    bindings.set(key, [...(bindings.get(key) ?? []), { HostIp: hostIp, HostPort: rangeText(hostPort) }]);
  }
  return Object.fromEntries(bindings);
}

function rangeText({ first, last }: PortRequest["hostPort"]): string {
  if (first === 0) return "";
  return first === last ? String(first) : `${first}-${last}`;
}

function orNull(list: readonly string[]): readonly string[] | null {
  return list.length === 0 ? null : list;
}
