import type { ContainerCreateRequest, HostConfig } from "#api/wire";
import type { ContainerSpec, LogDriver, MountRequest } from "#containers";
import { Fault } from "#core/fault";
import type { Platform } from "#core/oci";
import { readIsolation } from "./isolation.ts";
import { readLimits, readRestartPolicy } from "./limits.ts";
import { checkTarget, readBind, readMount, readVolumeTargets } from "./mounts.ts";
import { readNetworks } from "./endpoints.ts";
import { readExposedPorts, readPortBindings } from "./ports.ts";
import { shmSize } from "./shm-size.ts";
import { refuseUnsupported } from "./unsupported-fields.ts";

/** What the request's query and the daemon's options add to its body. */
export interface SpecDefaults {
  readonly name?: string;
  readonly platform?: Platform;
  /** What the client's version asked for by not being able to say otherwise. */
  readonly readOnlyTopOnly?: boolean;
  /** Undefined: nobody chose one. */
  readonly logDriver?: LogDriver;
  readonly logOptions: Readonly<Record<string, string>>;
  /** Whether containers that say nothing of it get an init. */
  readonly init?: boolean;
  /** The name of the network that was typed by name or id; absent: names stay as they are. */
  readonly networkName?: (typed: string) => string;
}

/** What a container is said to log with when nobody chose: the name without which SDKs do not read logs. */
export const defaultLogDriver = "json-file" satisfies LogDriver;

/** Drivers that Docker has built in and Slipway does not have yet; all other names would be plugins. */
const dockersDrivers = new Set(["awslogs", "etwlogs", "gcplogs", "gelf", "journald", "splunk"]);
const ourDrivers = ["local", "json-file", "none", "syslog", "fluentd"] as const satisfies readonly LogDriver[];

/** The create request as a spec. Faults: `invalid` in Docker's words, `unsupported` for what Slipway does not do yet. */
export function containerSpec(request: ContainerCreateRequest, defaults: SpecDefaults): ContainerSpec {
  refuseUnsupported(request);
  const host = request.HostConfig ?? {};
  if ((request.Image ?? "") === "") throw new Fault("invalid", "no image specified");
  return {
    ...identity(request, defaults),
    ...processOf(request),
    groupAdd: host.GroupAdd ?? [],
    labels: request.Labels ?? {},
    tty: request.Tty ?? false,
    stdinOpen: request.OpenStdin ?? false,
    stdinOnce: request.StdinOnce ?? false,
    attach: {
      stdin: request.AttachStdin ?? false,
      stdout: request.AttachStdout ?? false,
      stderr: request.AttachStderr ?? false,
    },
    exposedPorts: readExposedPorts(Object.keys(request.ExposedPorts ?? {})),
    publishAll: host.PublishAllPorts ?? false,
    ports: readPortBindings(host.PortBindings ?? {}),
    ...readNetworks(request, defaults.networkName),
    dns: host.Dns ?? [],
    dnsOptions: host.DnsOptions ?? [],
    dnsSearch: host.DnsSearch ?? [],
    extraHosts: host.ExtraHosts ?? [],
    mounts: shaped([...(host.Binds ?? []).map(readBind), ...(host.Mounts ?? []).map(readMount)], defaults),
    tmpfs: readTmpfs(host.Tmpfs ?? {}),
    volumes: readVolumeTargets(request.Volumes ?? {}),
    volumesFrom: host.VolumesFrom ?? [],
    volumeDriver: host.VolumeDriver ?? "",
    init: host.Init ?? defaults.init ?? false,
    autoRemove: host.AutoRemove ?? false,
    ...readIsolation(host),
    limits: readLimits(host),
    ...(isFilled(host.CgroupParent) && { cgroupParent: host.CgroupParent }),
    storageOptions: host.StorageOpt ?? {},
    shmSizeBytes: shmSize(host.ShmSize),
    logging: logging(host.LogConfig, defaults),
    restart: readRestartPolicy(host.RestartPolicy),
    ...(isFilled(host.Runtime) && { runtime: host.Runtime }),
    annotations: host.Annotations ?? {},
    ...(request.Healthcheck !== undefined && { healthcheck: request.Healthcheck }),
  };
}

function identity(request: ContainerCreateRequest, { name, platform }: SpecDefaults) {
  return {
    ...(name !== undefined && { name }),
    image: request.Image ?? "",
    ...(platform !== undefined && { platform }),
    ...(isFilled(request.Hostname) && { hostname: request.Hostname }),
    ...(isFilled(request.Domainname) && { domainname: request.Domainname }),
  };
}

function processOf(request: ContainerCreateRequest) {
  const { Entrypoint: entrypoint, Cmd: command, StopTimeout: stopTimeout } = request;
  return {
    ...(isFilled(request.User) && { user: request.User }),
    env: request.Env ?? [],
    // Absent and empty are different answers (the image's, none), and stay so.
    ...(entrypoint !== undefined && entrypoint !== null && { entrypoint }),
    ...(command !== undefined && command !== null && { command }),
    ...(isFilled(request.WorkingDir) && { workingDir: request.WorkingDir }),
    ...(isFilled(request.StopSignal) && { stopSignal: request.StopSignal }),
    ...(stopTimeout !== undefined && { stopTimeoutSeconds: stopTimeout }),
  };
}

function shaped(mounts: readonly MountRequest[], { readOnlyTopOnly }: SpecDefaults): readonly MountRequest[] {
  if (readOnlyTopOnly !== true) return mounts;
  return mounts.map((mount) => (mount.kind === "bind" && mount.readOnly ? { ...mount, readOnlyTopOnly: true } : mount));
}

/** The daemon's options hold for its own driver, also when a request names it. */
function logging(wanted: HostConfig["LogConfig"] | undefined, defaults: SpecDefaults): ContainerSpec["logging"] {
  const type = wanted?.Type ?? "";
  const driver = type === "" ? (defaults.logDriver ?? defaultLogDriver) : type;
  const inherited = driver === (defaults.logDriver ?? defaultLogDriver) ? defaults.logOptions : {};
  const options = { ...inherited, ...wanted?.Config };
  const byDefault = type === "" && defaults.logDriver === undefined;
  if (isOurs(driver)) return { driver, options, ...(byDefault && { byDefault }) };
  const shown = type.slice(0, 50);
  if (!dockersDrivers.has(type)) {
    throw new Fault("invalid", `error looking up logging plugin ${shown}: plugin "${shown}" not found`);
  }
  throw new Fault("unsupported", `--log-driver ${shown} is not supported (HostConfig.LogConfig)`, {
    remedy: `Use ${ourDrivers.join(", ")}.`,
  });
}

function isOurs(name: string): name is LogDriver {
  return (ourDrivers as readonly string[]).includes(name);
}

function readTmpfs(wanted: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(wanted).map(([target, options]) => [checkTarget(target, "tmpfs"), options]));
}

function isFilled(text: string | undefined): text is string {
  return text !== undefined && text !== "";
}
