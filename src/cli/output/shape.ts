import { isMap, markMap, markStruct, TypedNil, type Value } from "../template/value.ts";

/** Objects under these names are maps with keys of the user's, not structs: a key that is absent is no mistake. */
const mapNames = new Set([
  "Annotations",
  "Config.LogConfig",
  "Containers",
  "Data",
  "DriverOpts",
  "EndpointsConfig",
  "ExposedPorts",
  "Labels",
  "Networks",
  "Options",
  "PortBindings",
  "Ports",
  "StorageOpt",
  "Sysctls",
  "Tmpfs",
  "Volumes",
]);

/** Fields that are left out of the JSON, or are null there, when they are empty; with the Go type that a template then sees. */
const absent: Readonly<Record<string, Readonly<Record<string, "map" | "slice" | "pointer" | "text" | "zero" | "no">>>> =
  {
    container: { ExecIDs: "slice", SizeRw: "pointer", SizeRootFs: "pointer", ImageManifestDescriptor: "pointer" },
    "container.State": { Health: "pointer" },
    "container.Config": {
      ExposedPorts: "map",
      Env: "slice",
      Cmd: "slice",
      Healthcheck: "pointer",
      Volumes: "map",
      Entrypoint: "slice",
      OnBuild: "slice",
      Labels: "map",
      StopSignal: "text",
      StopTimeout: "pointer",
      Shell: "slice",
      ArgsEscaped: "no",
      NetworkDisabled: "no",
      MacAddress: "text",
    },
    "container.HostConfig": {
      Binds: "slice",
      PortBindings: "map",
      VolumesFrom: "slice",
      CapAdd: "slice",
      CapDrop: "slice",
      Dns: "slice",
      DnsOptions: "slice",
      DnsSearch: "slice",
      ExtraHosts: "slice",
      GroupAdd: "slice",
      Links: "slice",
      SecurityOpt: "slice",
      StorageOpt: "map",
      Tmpfs: "map",
      Sysctls: "map",
      Annotations: "map",
      Devices: "slice",
      DeviceCgroupRules: "slice",
      DeviceRequests: "slice",
      Ulimits: "slice",
      Mounts: "slice",
      MaskedPaths: "slice",
      ReadonlyPaths: "slice",
      Init: "pointer",
      MemorySwappiness: "pointer",
      OomKillDisable: "pointer",
      PidsLimit: "pointer",
    },
    "container.NetworkSettings": { Ports: "map", Networks: "map" },
    "container.GraphDriver": { Data: "map" },
    image: {
      RepoTags: "slice",
      RepoDigests: "slice",
      Config: "pointer",
      Variant: "text",
      OsVersion: "text",
      Created: "text",
    },
    "image.Config": {
      User: "text",
      ExposedPorts: "map",
      Env: "slice",
      Cmd: "slice",
      Volumes: "map",
      Entrypoint: "slice",
      OnBuild: "slice",
      Labels: "map",
      StopSignal: "text",
      Shell: "slice",
      Healthcheck: "pointer",
    },
    "image.RootFS": { Layers: "slice" },
    "image.GraphDriver": { Data: "map" },
    network: { Options: "map", Labels: "map", Containers: "map" },
    volume: {
      Options: "map",
      Labels: "map",
      Status: "map",
      CreatedAt: "text",
      ClusterVolume: "pointer",
      UsageData: "pointer",
    },
    "network.IPAM": { Options: "map", Config: "slice" },
  };

/** Names in Docker's Go types where they differ from the JSON's; templates may use either. */
const goNames: Readonly<Record<string, string>> = {
  ApiVersion: "APIVersion",
  CpuCfsPeriod: "CPUCfsPeriod",
  CpuCfsQuota: "CPUCfsQuota",
  CpuCount: "CPUCount",
  CpuPercent: "CPUPercent",
  CpuPeriod: "CPUPeriod",
  CpuQuota: "CPUQuota",
  CpuRealtimePeriod: "CPURealtimePeriod",
  CpuRealtimeRuntime: "CPURealtimeRuntime",
  CpuShares: "CPUShares",
  Dns: "DNS",
  DnsOptions: "DNSOptions",
  DnsSearch: "DNSSearch",
  HostIp: "HostIP",
  HttpProxy: "HTTPProxy",
  HttpsProxy: "HTTPSProxy",
  Id: "ID",
  NanoCpus: "NanoCPUs",
};

/** The document as Go's types would hold it, so that templates meet empty fields as they do with Docker. */
export function shaped(kind: string, document: unknown): Value {
  return shape(document, kind, false);
}

function shape(value: unknown, path: string, inMap: boolean): Value {
  if (Array.isArray(value)) return value.map((item) => shape(item, `${path}[]`, false));
  if (value === null && /\.(Ports|PortBindings)\.[^.]+$/.test(path)) return new TypedNil("slice");
  if (!isMap(value)) return value;
  const out: Record<string, Value> = {};
  for (const [name, part] of Object.entries(value)) {
    out[name] = shape(part, `${path}.${name}`, !inMap && mapNames.has(name));
  }
  for (const [name, type] of Object.entries(absent[path] ?? {})) {
    // What the document left out must not come up in `{{json .}}`.
    if (out[name] === undefined) Object.defineProperty(out, name, { value: empty(type), enumerable: false });
    else if (out[name] === null) out[name] = empty(type);
  }
  if (inMap) return markMap(out);
  for (const name of Object.keys(out)) {
    const goName = goNames[name];
    if (goName !== undefined && !(goName in out))
      Object.defineProperty(out, goName, { value: out[name], enumerable: false });
  }
  return markStruct(out);
}

function empty(type: "map" | "slice" | "pointer" | "text" | "zero" | "no"): Value {
  if (type === "text") return "";
  if (type === "zero") return 0;
  return type === "no" ? false : new TypedNil(type);
}
