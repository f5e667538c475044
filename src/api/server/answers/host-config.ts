import { parseLink } from "#core/container-link";
import type { ApiVersion, DeviceRequest, HostConfig, PortBinding, PortMap, Resources, ThrottleDevice } from "#api/wire";
import {
  type Container,
  type ContainerSpec,
  type DeviceCapabilityRequest,
  type DeviceRate,
  maskedPaths,
  readonlyPaths,
} from "#containers";
import type { PortRequest } from "#networks";
import { apiVersion } from "#api/wire";
import { shownNetworkMode } from "./container-network.ts";
import { mountRequestAnswer } from "./mount-answer.ts";

/** What the answer takes from the machine. */
export interface MachineFacts {
  readonly defaultRuntime: string;
  /** Folders of /sys that are masked where the machine has them. */
  readonly throttleFolders: readonly string[];
}

/** The whole `HostConfig` of inspect, defaults included. */
export function hostConfigAnswer(
  { name, spec }: Pick<Container, "name" | "spec">,
  version: ApiVersion,
  machine: MachineFacts,
): HostConfig {
  return {
    ...storage(spec),
    ContainerIDFile: "",
    LogConfig: { Type: spec.logging.driver, Config: spec.logging.options },
    NetworkMode: shownNetworkMode(spec.networkMode),
    PortBindings: portBindings(spec.ports),
    RestartPolicy: { Name: spec.restart.name, MaximumRetryCount: spec.restart.maximumRetries },
    AutoRemove: spec.autoRemove,
    VolumeDriver: spec.volumeDriver,
    VolumesFrom: orNull(spec.volumesFrom),
    ConsoleSize: [0, 0],
    ...(Object.keys(spec.annotations).length > 0 && { Annotations: spec.annotations }),
    CapAdd: orNull(spec.capAdd),
    CapDrop: orNull(spec.capDrop),
    CgroupnsMode: spec.namespaces.cgroup === "" ? "private" : spec.namespaces.cgroup,
    Dns: spec.dns,
    DnsOptions: spec.dnsOptions,
    DnsSearch: spec.dnsSearch,
    ExtraHosts: orNull(spec.extraHosts),
    GroupAdd: orNull(spec.groupAdd),
    IpcMode: spec.namespaces.ipc === "" ? "private" : spec.namespaces.ipc,
    Cgroup: "",
    Links: orNull(defaultBridgeLinks(spec, name)),
    OomScoreAdj: spec.oomScoreAdj,
    PidMode: spec.namespaces.pid,
    Privileged: spec.privileged,
    PublishAllPorts: spec.publishAll,
    ReadonlyRootfs: spec.readOnlyRoot,
    SecurityOpt: orNull(spec.securityOptions),
    ...(Object.keys(spec.storageOptions).length > 0 && { StorageOpt: spec.storageOptions }),
    UTSMode: spec.namespaces.uts,
    UsernsMode: spec.namespaces.user,
    ShmSize: spec.shmSizeBytes,
    ...(Object.keys(spec.sysctls).length > 0 && { Sysctls: spec.sysctls }),
    Runtime: spec.runtime ?? machine.defaultRuntime,
    Isolation: "",
    ...resources(spec),
    ...(version < apiVersion("1.44") && { KernelMemory: 0, KernelMemoryTCP: 0 }),
    MaskedPaths: spec.maskedPaths ?? (spec.privileged ? null : [...maskedPaths, ...machine.throttleFolders]),
    ReadonlyPaths: spec.readonlyPaths ?? (spec.privileged ? null : readonlyPaths),
    ...(spec.init && { Init: true }),
  };
}

function resources(spec: ContainerSpec): Resources {
  const { limits } = spec;
  return {
    CpuShares: limits.cpuShares,
    Memory: limits.memoryBytes,
    NanoCpus: limits.nanoCpus,
    CgroupParent: spec.cgroupParent ?? "",
    BlkioWeight: limits.blkioWeight,
    BlkioWeightDevice: limits.blkioWeightDevice.map(({ path, weight }) => ({ Path: path, Weight: weight })),
    BlkioDeviceReadBps: limits.readBps.map(throttle),
    BlkioDeviceWriteBps: limits.writeBps.map(throttle),
    BlkioDeviceReadIOps: limits.readIops.map(throttle),
    BlkioDeviceWriteIOps: limits.writeIops.map(throttle),
    CpuPeriod: limits.cpuPeriod,
    CpuQuota: limits.cpuQuota,
    CpuRealtimePeriod: limits.cpuRealtimePeriod,
    CpuRealtimeRuntime: limits.cpuRealtimeRuntime,
    CpusetCpus: limits.cpusetCpus,
    CpusetMems: limits.cpusetMems,
    Devices: spec.devices.map((device) => ({
      PathOnHost: device.hostPath,
      PathInContainer: device.containerPath,
      CgroupPermissions: device.permissions,
    })),
    DeviceCgroupRules: orNull(spec.deviceRules),
    DeviceRequests: spec.deviceRequests.length === 0 ? null : spec.deviceRequests.map(deviceRequest),
    MemoryReservation: limits.memoryReservationBytes,
    MemorySwap: limits.memorySwapBytes,
    MemorySwappiness: limits.memorySwappiness ?? null,
    OomKillDisable: limits.oomKillDisable ? true : null,
    PidsLimit: limits.pids > 0 ? limits.pids : null,
    Ulimits: spec.ulimits.map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}

/** Only those of the default bridge are told here, and as paths. */
function defaultBridgeLinks({ endpoints }: ContainerSpec, ownName: string): string[] {
  const links = endpoints.find(({ network }) => network === "bridge")?.links ?? [];
  return links.map((link) => {
    const { container, alias } = parseLink(link.replace(/^\//, ""));
    return `/${container}:/${ownName}/${alias}`;
  });
}

function throttle({ path, rate }: DeviceRate): ThrottleDevice {
  return { Path: path, Rate: rate };
}

function deviceRequest(request: DeviceCapabilityRequest): DeviceRequest {
  return {
    Driver: request.driver,
    Count: request.count,
    DeviceIDs: orNull(request.deviceIds),
    Capabilities: request.capabilities,
    Options: request.options,
  };
}

function storage({ mounts, tmpfs }: ContainerSpec) {
  const asked = mounts.filter(({ text }) => text === undefined).map(mountRequestAnswer);
  return {
    Binds: orNull(mounts.flatMap(({ text }) => (text === undefined ? [] : [text]))),
    ...(Object.keys(tmpfs).length > 0 && { Tmpfs: tmpfs }),
    ...(asked.length > 0 && { Mounts: asked }),
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
