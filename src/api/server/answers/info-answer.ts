import { engineVersion, type InfoAnswer, productVersion } from "#api/wire";
import { rfc3339Nano } from "#core/clock";
import { diskBudgetText } from "#core/disk-budget";
import type { BudgetState } from "#disk";
import type { ForwardObstacle } from "#host";
import { defaultLogDriver } from "../create/container-spec.ts";
import type { ServerOptions } from "../server.ts";

const officialIndex = "https://index.docker.io/v1/";

/** `GET /info`. @param obstacles - what other firewalls of the host keep from our networks */
export function infoAnswer(
  options: ServerOptions,
  disk: BudgetState,
  obstacles: readonly ForwardObstacle[],
): InfoAnswer {
  const { host, images, labels } = options;
  const { machine, paths, runtimes } = host;
  return {
    ID: host.engineId,
    ...containerCounts(options),
    Images: images.count(),
    Driver: "overlay2",
    DriverStatus: [
      ["Backing Filesystem", host.backingFileSystem],
      // Without it the kernel refuses overlay mounts altogether.
      ["Supports d_type", "true"],
      ...budgetLines(disk),
    ],
    Plugins: {
      Volume: ["local"],
      Network: ["bridge", "host", "ipvlan", "macvlan", "null"],
      Authorization: null,
      Log: ["fluentd", "json-file", "local", "syslog"],
    },
    ...controls(options),
    Debug: false,
    NFd: 0,
    NGoroutines: 0,
    SystemTime: rfc3339Nano(host.clock.now()),
    LoggingDriver: options.logDriver ?? defaultLogDriver,
    CgroupDriver: "cgroupfs",
    CgroupVersion: String(host.cgroups.version),
    NEventsListener: 0,
    KernelVersion: machine.kernelVersion,
    OperatingSystem: machine.operatingSystem,
    OSVersion: machine.osVersion,
    OSType: "linux",
    Architecture: machine.architecture,
    IndexServerAddress: officialIndex,
    RegistryConfig: registryConfig(options),
    NCPU: machine.cpus,
    MemTotal: machine.memoryBytes,
    GenericResources: null,
    DockerRootDir: paths.dataRoot,
    HttpProxy: "",
    HttpsProxy: "",
    NoProxy: "",
    Name: machine.hostname,
    Labels: labels,
    ExperimentalBuild: false,
    ServerVersion: engineVersion,
    Runtimes: Object.fromEntries(Object.entries(runtimes.paths).map(([name, path]) => [name, { path }])),
    DefaultRuntime: runtimes.default,
    Swarm: {
      NodeID: "",
      NodeAddr: "",
      LocalNodeState: "inactive",
      ControlAvailable: false,
      Error: "",
      RemoteManagers: null,
    },
    // Containers outlive the daemon.
    LiveRestoreEnabled: true,
    Isolation: "",
    InitBinary: "slipway-shim",
    ContainerdCommit: { ID: "" },
    RuncCommit: { ID: "" },
    InitCommit: { ID: productVersion },
    SecurityOptions: securityOptions(options),
    CDISpecDirs: options.cdiFolders,
    FirewallBackend: { Driver: "nftables", Info: [["Published ports", options.firewall]] },
    Warnings: warnings(options, obstacles),
  };
}

function budgetLines({ budget, usedBytes, limitBytes }: BudgetState): [string, string][] {
  const inGigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)}GB`;
  const used = inGigabytes(usedBytes);
  return [
    ["Disk Budget", diskBudgetText(budget)],
    ["Disk Used", Number.isFinite(limitBytes) ? `${used} of ${inGigabytes(limitBytes)}` : used],
  ];
}

function containerCounts({ containers }: ServerOptions) {
  const all = containers.list({ all: true, filters: {} });
  const running = all.filter(({ state }) => state.status === "running").length;
  const paused = all.filter(({ state }) => state.status === "paused").length;
  return {
    Containers: all.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: all.length - running - paused,
  };
}

function controls({ host: { cgroups, machine } }: ServerOptions) {
  const { limits } = cgroups;
  return {
    MemoryLimit: limits.memory,
    SwapLimit: limits.swap,
    CpuCfsPeriod: limits.cpuQuota,
    CpuCfsQuota: limits.cpuQuota,
    CPUShares: limits.cpuShares,
    CPUSet: limits.cpuset,
    PidsLimit: limits.pids,
    OomKillDisable: limits.oomKillDisable,
    IPv4Forwarding: machine.ipv4Forwarding,
    BridgeNfIptables: false,
    BridgeNfIp6tables: false,
  };
}

function registryConfig({ insecureRegistries, registryMirrors }: ServerOptions): InfoAnswer["RegistryConfig"] {
  const isRange = (entry: string): boolean => /\/\d{1,3}$/.test(entry);
  const insecureHosts = insecureRegistries.filter((entry) => !isRange(entry));
  const own = insecureHosts.map((name) => [name, { Name: name, Mirrors: [], Secure: false, Official: false }] as const);
  return {
    InsecureRegistryCIDRs: ["127.0.0.0/8", "::1/128", ...insecureRegistries.filter(isRange)],
    IndexConfigs: {
      "docker.io": { Name: "docker.io", Mirrors: registryMirrors, Secure: true, Official: true },
      ...Object.fromEntries(own),
    },
    Mirrors: registryMirrors,
  };
}

function securityOptions({ host: { machine, cgroups }, usernsRemap }: ServerOptions): string[] {
  return [
    ...(machine.apparmor ? ["name=apparmor"] : []),
    ...(machine.seccomp ? ["name=seccomp,profile=builtin"] : []),
    ...(usernsRemap === undefined ? [] : ["name=userns"]),
    ...(cgroups.version === 2 ? ["name=cgroupns"] : []),
  ];
}

function warnings(
  { host: { cgroups, machine }, networks }: ServerOptions,
  obstacles: readonly ForwardObstacle[],
): string[] | null {
  // A host without such a network needs none, and some must not.
  const needsIpv6 = networks.list().some(({ driver, ipv6, internal }) => driver === "bridge" && ipv6 && !internal);
  const missing = [
    ...limitWarnings(cgroups),
    ...(machine.ipv4Forwarding ? [] : ["WARNING: IPv4 forwarding is disabled"]),
    ...(machine.ipv6Forwarding || !needsIpv6 ? [] : ["WARNING: IPv6 forwarding is disabled"]),
    ...obstacles.map(({ text, remedy }) => `WARNING: ${text}. Run: ${remedy}`),
  ];
  return missing.length === 0 ? null : missing;
}

/** What the kernel lacks, in Docker's words and order. */
function limitWarnings({ version, limits }: ServerOptions["host"]["cgroups"]): string[] {
  const rates = version === 1 ? v1Rates : v2Rates;
  const facts: [boolean, string][] = [
    [limits.memory, "memory limit"],
    [limits.swap, "swap limit"],
    [limits.oomKillDisable || version === 2, "oom kill disable"],
    [limits.cpuQuota, "cpu cfs quota"],
    [limits.cpuQuota, "cpu cfs period"],
    [limits.cpuShares, "cpu shares"],
    [limits.cpuset, "cpuset"],
    [limits.pids, "pids limit"],
    [limits.blkioWeight, version === 1 ? "blkio weight" : "io.weight"],
    [limits.blkioWeightDevice, version === 1 ? "blkio weight_device" : "io.weight (per device)"],
    [limits.readBps, rates[0]],
    [limits.writeBps, rates[1]],
    [limits.readIops, rates[2]],
    [limits.writeIops, rates[3]],
  ];
  return facts.filter(([has]) => !has).map(([, what]) => `WARNING: No ${what} support`);
}

const v1Rates = [
  "blkio throttle.read_bps_device",
  "blkio throttle.write_bps_device",
  "blkio throttle.read_iops_device",
  "blkio throttle.write_iops_device",
] as const;
const v2Rates = ["io.max (rbps)", "io.max (wbps)", "io.max (riops)", "io.max (wiops)"] as const;
