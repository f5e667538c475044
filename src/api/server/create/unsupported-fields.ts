import type { ContainerCreateRequest, EndpointSettings, HostConfig } from "#api/wire";
import { Fault } from "#core/fault";

/** The request's fields that Slipway does not carry yet: how the CLI names them, and whether a value asks for anything. */
const hostFields: { readonly [Key in keyof HostConfig]?: readonly [flag: string, asks: (value: unknown) => boolean] } =
  {
    RestartPolicy: ["--restart", (value) => !["", "no"].includes((value as HostConfig["RestartPolicy"]).Name)],
    VolumeDriver: ["--volume-driver", isFilled],
    VolumesFrom: ["--volumes-from", isFilled],
    CgroupnsMode: ["--cgroupns", (value) => !["", "private"].includes(String(value))],
    Cgroup: ["Cgroup", isFilled],
    IpcMode: ["--ipc", (value) => !["", "private", "shareable"].includes(String(value))],
    Links: ["--link", isFilled],
    OomScoreAdj: ["--oom-score-adj", isFilled],
    PidMode: ["--pid", isFilled],
    StorageOpt: ["--storage-opt", isFilled],
    UTSMode: ["--uts", isFilled],
    UsernsMode: ["--userns", (value) => !["", "host"].includes(String(value))],
    Sysctls: ["--sysctl", isFilled],
    Isolation: ["--isolation", (value) => !["", "default"].includes(String(value))],
    CpuShares: ["--cpu-shares", isFilled],
    CgroupParent: ["--cgroup-parent", isFilled],
    BlkioWeight: ["--blkio-weight", isFilled],
    BlkioWeightDevice: ["--blkio-weight-device", isFilled],
    BlkioDeviceReadBps: ["--device-read-bps", isFilled],
    BlkioDeviceWriteBps: ["--device-write-bps", isFilled],
    BlkioDeviceReadIOps: ["--device-read-iops", isFilled],
    BlkioDeviceWriteIOps: ["--device-write-iops", isFilled],
    CpuPeriod: ["--cpu-period", isFilled],
    CpuQuota: ["--cpu-quota", isFilled],
    CpuRealtimePeriod: ["--cpu-rt-period", isFilled],
    CpuRealtimeRuntime: ["--cpu-rt-runtime", isFilled],
    CpusetCpus: ["--cpuset-cpus", isFilled],
    CpusetMems: ["--cpuset-mems", isFilled],
    Devices: ["--device", isFilled],
    DeviceCgroupRules: ["--device-cgroup-rule", isFilled],
    DeviceRequests: ["--gpus", isFilled],
    KernelMemory: ["--kernel-memory", isFilled],
    KernelMemoryTCP: ["--kernel-memory-tcp", isFilled],
    MemoryReservation: ["--memory-reservation", isFilled],
    MemorySwap: ["--memory-swap", isFilled],
    MemorySwappiness: ["--memory-swappiness", (value) => value !== -1],
    OomKillDisable: ["--oom-kill-disable", isFilled],
    Ulimits: ["--ulimit", isFilled],
    CpuCount: ["--cpu-count", isFilled],
    CpuPercent: ["--cpu-percent", isFilled],
    IOMaximumIOps: ["--io-maxiops", isFilled],
    IOMaximumBandwidth: ["--io-maxbandwidth", isFilled],
    // An empty list unmasks (systempaths=unconfined), an absent one is the default.
    MaskedPaths: ["MaskedPaths", () => true],
    ReadonlyPaths: ["ReadonlyPaths", () => true],
  };

const configFields: {
  readonly [Key in keyof ContainerCreateRequest]?: readonly [flag: string, asks: (value: unknown) => boolean];
} = {
  Volumes: ["-v with a volume", isFilled],
  NetworkDisabled: ["NetworkDisabled", isFilled],
  MacAddress: ["--mac-address", isFilled],
  OnBuild: ["OnBuild", isFilled],
  Healthcheck: ["--health-cmd", asksForHealth],
};

const endpointFields: {
  readonly [Key in keyof EndpointSettings]?: readonly [flag: string, asks: (value: unknown) => boolean];
} = {
  IPAMConfig: ["--ip", (value) => Object.values(value as object).some(isFilled)],
  Links: ["--link", isFilled],
  Aliases: ["--network-alias", isFilled],
  DriverOpts: ["driver-opt", isFilled],
  GwPriority: ["gw-priority", isFilled],
  MacAddress: ["--mac-address", isFilled],
};

/** Fault `unsupported` for the first field that asks for what Slipway does not do yet: never silence. */
export function refuseUnsupported(request: ContainerCreateRequest): void {
  refuseFields(request, configFields, "Config");
  refuseFields(request.HostConfig ?? {}, hostFields, "HostConfig");
  const endpoints = Object.entries(request.NetworkingConfig?.EndpointsConfig ?? {});
  if (endpoints.length > 1) {
    throw new Fault(
      "unsupported",
      "several networks at create are not supported yet (NetworkingConfig.EndpointsConfig)",
    );
  }
  for (const [name, endpoint] of endpoints) {
    refuseFields(endpoint ?? {}, endpointFields, `NetworkingConfig.EndpointsConfig[${name}]`);
  }
}

function refuseFields(
  values: object,
  fields: Readonly<Record<string, readonly [flag: string, asks: (value: unknown) => boolean] | undefined>>,
  place: string,
): void {
  for (const [name, value] of Object.entries(values) as [string, unknown][]) {
    const field = fields[name];
    if (field === undefined || value === null || value === undefined || !field[1](value)) continue;
    throw new Fault("unsupported", `${field[0]} is not supported yet (${place}.${name})`);
  }
}

/** An empty test leaves the image's; `NONE` turns checks off, which they are. */
function asksForHealth(value: unknown): boolean {
  const { Test: test } = value as NonNullable<ContainerCreateRequest["Healthcheck"]>;
  return test !== undefined && test !== null && test.length > 0 && test[0] !== "NONE";
}

/** Whether a value is other than Go's zero value. */
function isFilled(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return value !== "" && value !== 0 && value !== false && value !== null && value !== undefined;
}
