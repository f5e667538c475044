import { Fault } from "#core/fault";
import type { Healthcheck } from "#core/oci";
import {
  anyObject,
  type Check,
  type FieldChecks,
  flag,
  integer,
  list,
  map,
  nullable,
  object,
  text,
  words,
} from "./check.ts";
import type {
  ContainerConfig,
  ContainerCreateRequest,
  ContainerUpdateRequest,
  DeviceMapping,
  DeviceRequest,
  HostConfig,
  LogConfig,
  MountRequest,
  PortBinding,
  Resources,
  RestartPolicy,
  ThrottleDevice,
  Ulimit,
  WeightDevice,
} from "./container-config.ts";
import type { ExecCreateRequest, ExecStartRequest } from "./container-types.ts";
import type { RegistryAuthHeader } from "./image-types.ts";
import { endpointSettings } from "./network-checks.ts";

/** Checks the body of `POST /containers/create`. Fault `invalid` in Docker's words. */
export function checkContainerCreate(body: unknown): ContainerCreateRequest {
  if (body === undefined || body === null) {
    throw new Fault("invalid", "config cannot be empty in order to create a container");
  }
  return createRequest(body, "");
}

/** Checks the body of `POST /containers/{id}/update`. */
export function checkContainerUpdate(body: unknown): ContainerUpdateRequest {
  return updateRequest(body ?? {}, "");
}

/** Checks the body of `POST /containers/{id}/exec`. */
export function checkExecCreate(body: unknown): ExecCreateRequest {
  return execCreate(body ?? {}, "");
}

/** Checks the body of `POST /exec/{id}/start`; no body is an empty one. */
export function checkExecStart(body: unknown): ExecStartRequest {
  return execStart(body ?? {}, "");
}

/** Checks the document of `X-Registry-Auth`. */
export function checkRegistryAuth(document: unknown): RegistryAuthHeader {
  return registryAuth(document ?? {}, "");
}

const texts = list(text);
const textMap = map(text);

const healthcheck = object<Healthcheck>({
  Test: texts,
  Interval: integer,
  Timeout: integer,
  StartPeriod: integer,
  StartInterval: integer,
  Retries: integer,
});

const configFields = {
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: map(anyObject),
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: texts,
  Cmd: words,
  Healthcheck: healthcheck,
  ArgsEscaped: flag,
  Image: text,
  Volumes: map(anyObject),
  WorkingDir: text,
  Entrypoint: words,
  NetworkDisabled: flag,
  MacAddress: text,
  OnBuild: texts,
  Labels: textMap,
  StopSignal: text,
  StopTimeout: integer,
  Shell: texts,
} satisfies { readonly [Key in keyof ContainerConfig]-?: Check<NonNullable<ContainerConfig[Key]>> };

const mount = object<MountRequest>({
  Type: text,
  Source: text,
  Target: text,
  ReadOnly: flag,
  Consistency: text,
  BindOptions: object<NonNullable<MountRequest["BindOptions"]>>({
    Propagation: text,
    NonRecursive: flag,
    CreateMountpoint: flag,
    ReadOnlyNonRecursive: flag,
    ReadOnlyForceRecursive: flag,
    Chown: flag,
    Idmap: text,
  }),
  VolumeOptions: object<NonNullable<MountRequest["VolumeOptions"]>>({
    NoCopy: flag,
    Labels: textMap,
    DriverConfig: object<{ readonly Name?: string; readonly Options?: Readonly<Record<string, string>> }>({
      Name: text,
      Options: textMap,
    }),
    Subpath: text,
    Chown: flag,
    Idmap: text,
  }),
  ImageOptions: object<NonNullable<MountRequest["ImageOptions"]>>({ Subpath: text }),
  TmpfsOptions: object<NonNullable<MountRequest["TmpfsOptions"]>>({
    SizeBytes: integer,
    Mode: integer,
    Options: list(texts),
  }),
  ClusterOptions: anyObject,
});

const portBinding: Check<PortBinding> = (value, place) => ({
  HostIp: "",
  HostPort: "",
  ...object<PortBinding>({ HostIp: text, HostPort: text })(value, place),
});

const restartPolicy: Check<RestartPolicy> = (value, place) => ({
  Name: "",
  MaximumRetryCount: 0,
  ...object<RestartPolicy>({ Name: text, MaximumRetryCount: integer })(value, place),
});

const logConfig: Check<LogConfig> = (value, place) => ({
  Type: "",
  Config: {},
  ...object<LogConfig>({ Type: text, Config: textMap })(value, place),
});

const weightDevice: Check<WeightDevice> = (value, place) => ({
  Path: "",
  Weight: 0,
  ...object<WeightDevice>({ Path: text, Weight: integer })(value, place),
});

const throttleDevice: Check<ThrottleDevice> = (value, place) => ({
  Path: "",
  Rate: 0,
  ...object<ThrottleDevice>({ Path: text, Rate: integer })(value, place),
});

const deviceMapping: Check<DeviceMapping> = (value, place) => ({
  PathOnHost: "",
  PathInContainer: "",
  CgroupPermissions: "",
  ...object<DeviceMapping>({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text })(value, place),
});

const deviceRequest: Check<DeviceRequest> = (value, place) => ({
  Driver: "",
  Count: 0,
  DeviceIDs: null,
  Capabilities: null,
  Options: null,
  ...object<DeviceRequest>({
    Driver: text,
    Count: integer,
    DeviceIDs: texts,
    Capabilities: list(texts),
    Options: textMap,
  })(value, place),
});

const ulimit: Check<Ulimit> = (value, place) => ({
  Name: "",
  Soft: 0,
  Hard: 0,
  ...object<Ulimit>({ Name: text, Soft: integer, Hard: integer })(value, place),
});

const resources = {
  CpuShares: integer,
  Memory: integer,
  NanoCpus: integer,
  CgroupParent: text,
  BlkioWeight: integer,
  BlkioWeightDevice: list(weightDevice),
  BlkioDeviceReadBps: list(throttleDevice),
  BlkioDeviceWriteBps: list(throttleDevice),
  BlkioDeviceReadIOps: list(throttleDevice),
  BlkioDeviceWriteIOps: list(throttleDevice),
  CpuPeriod: integer,
  CpuQuota: integer,
  CpuRealtimePeriod: integer,
  CpuRealtimeRuntime: integer,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: list(deviceMapping),
  DeviceCgroupRules: texts,
  DeviceRequests: list(deviceRequest),
  KernelMemory: integer,
  KernelMemoryTCP: integer,
  MemoryReservation: integer,
  MemorySwap: integer,
  MemorySwappiness: integer,
  OomKillDisable: flag,
  PidsLimit: integer,
  Ulimits: list(ulimit),
  CpuCount: integer,
  CpuPercent: integer,
  IOMaximumIOps: integer,
  IOMaximumBandwidth: integer,
} satisfies FieldChecks<Resources>;

const hostConfig = object<HostConfig>({
  Binds: texts,
  ContainerIDFile: text,
  LogConfig: logConfig,
  NetworkMode: text,
  PortBindings: map(nullable(list(portBinding))),
  RestartPolicy: restartPolicy,
  AutoRemove: flag,
  VolumeDriver: text,
  VolumesFrom: texts,
  ConsoleSize: list(integer),
  Annotations: textMap,
  CapAdd: texts,
  CapDrop: texts,
  CgroupnsMode: text,
  Dns: texts,
  DnsOptions: texts,
  DnsSearch: texts,
  ExtraHosts: texts,
  GroupAdd: texts,
  IpcMode: text,
  Cgroup: text,
  Links: texts,
  OomScoreAdj: integer,
  PidMode: text,
  Privileged: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  SecurityOpt: texts,
  StorageOpt: textMap,
  Tmpfs: textMap,
  UTSMode: text,
  UsernsMode: text,
  ShmSize: integer,
  Sysctls: textMap,
  Runtime: text,
  Isolation: text,
  ...resources,
  Mounts: list(mount),
  MaskedPaths: texts,
  ReadonlyPaths: texts,
  Init: flag,
});

const createRequest = object<ContainerCreateRequest>({
  ...configFields,
  HostConfig: hostConfig,
  NetworkingConfig: object<NonNullable<ContainerCreateRequest["NetworkingConfig"]>>({
    EndpointsConfig: map(nullable(endpointSettings)),
  }),
});

const updateRequest = object<ContainerUpdateRequest>({ ...resources, RestartPolicy: restartPolicy });

const execCreate = object<ExecCreateRequest>({
  User: text,
  Privileged: flag,
  Tty: flag,
  ConsoleSize: list(integer),
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  Detach: flag,
  DetachKeys: text,
  Env: texts,
  WorkingDir: text,
  Cmd: words,
});

const execStart = object<ExecStartRequest>({ Detach: flag, Tty: flag, ConsoleSize: list(integer) });

const registryAuth = object<RegistryAuthHeader>({
  username: text,
  password: text,
  auth: text,
  email: text,
  serveraddress: text,
  identitytoken: text,
  registrytoken: text,
});
