import type { ContainerCreateRequest, HostConfig } from "#api/wire";
import type { ContainerSpec } from "#containers";
import { Fault } from "#core/fault";
import type { Platform } from "#core/oci";
import { checkTarget, readBind, readMounts } from "./mounts.ts";
import { readExposedPorts, readPortBindings } from "./ports.ts";
import { refuseUnsupported } from "./unsupported-fields.ts";

/** What the request's query and the daemon's options add to its body. */
export interface SpecDefaults {
  readonly name?: string;
  readonly platform?: Platform;
  readonly logDriver: ContainerSpec["logging"]["driver"];
  readonly logOptions: Readonly<Record<string, string>>;
}

const defaultShmSizeBytes = 64 * 1024 * 1024;
const minMemoryBytes = 6 * 1024 * 1024;

/** The create request as a spec. Faults: `invalid` in Docker's words, `unsupported` for what Slipway does not do yet. */
export function containerSpec(request: ContainerCreateRequest, defaults: SpecDefaults): ContainerSpec {
  refuseUnsupported(request);
  const host = request.HostConfig ?? {};
  if ((request.Image ?? "") === "") throw new Fault("invalid", "no image specified");
  const mounts = readMounts(host.Mounts ?? []);
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
    networkMode: networkMode(request),
    dns: host.Dns ?? [],
    dnsOptions: host.DnsOptions ?? [],
    dnsSearch: host.DnsSearch ?? [],
    extraHosts: (host.ExtraHosts ?? []).map(checkExtraHost),
    binds: checkTargets([...(host.Binds ?? []).map(readBind), ...mounts.binds]),
    tmpfs: { ...readTmpfs(host.Tmpfs ?? {}), ...mounts.tmpfs },
    readOnlyRoot: host.ReadonlyRootfs ?? false,
    init: host.Init ?? false,
    autoRemove: host.AutoRemove ?? false,
    privileged: host.Privileged ?? false,
    capAdd: host.CapAdd ?? [],
    capDrop: host.CapDrop ?? [],
    securityOptions: host.SecurityOpt ?? [],
    limits: limits(host),
    shmSizeBytes: shmSize(host.ShmSize),
    logging: logging(host.LogConfig, defaults),
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
    ...(isFilled(request.Hostname) && { hostname: checkHostname(request.Hostname) }),
    ...(isFilled(request.Domainname) && { domainname: request.Domainname }),
  };
}

function processOf(request: ContainerCreateRequest) {
  const { StopTimeout: stopTimeout } = request;
  return {
    ...(isFilled(request.User) && { user: request.User }),
    env: (request.Env ?? []).map(checkEnv),
    ...entrypointAndCommand(request),
    ...(isFilled(request.WorkingDir) && { workingDir: checkWorkingDir(request.WorkingDir) }),
    ...(isFilled(request.StopSignal) && { stopSignal: request.StopSignal }),
    ...(stopTimeout !== undefined && { stopTimeoutSeconds: stopTimeout }),
  };
}

/** `--entrypoint ""` sends one empty word: no entrypoint, and not the image's command either. */
function entrypointAndCommand(request: ContainerCreateRequest): Pick<ContainerSpec, "entrypoint" | "command"> {
  const { Entrypoint: entrypoint, Cmd: command } = request;
  const isCleared = entrypoint?.length === 1 && entrypoint[0] === "";
  if (isCleared) return { entrypoint: [], command: command ?? [] };
  return {
    ...(entrypoint !== undefined && entrypoint !== null && { entrypoint }),
    // An empty command is no command: the image's stands.
    ...(command !== undefined && command !== null && command.length > 0 && { command }),
  };
}

/** The mode, or the one network that NetworkingConfig names (older clients send only that). */
function networkMode(request: ContainerCreateRequest): string {
  const mode = request.HostConfig?.NetworkMode ?? "";
  const [named] = Object.keys(request.NetworkingConfig?.EndpointsConfig ?? {});
  if (mode !== "" && mode !== "default") {
    const isOther = named !== undefined && named !== mode && !mode.startsWith("container:");
    if (isOther) {
      throw new Fault(
        "unsupported",
        `a second network is not supported yet (NetworkingConfig.EndpointsConfig[${named}])`,
      );
    }
    return mode;
  }
  return named ?? "default";
}

function limits(host: Partial<HostConfig>): ContainerSpec["limits"] {
  const memoryBytes = host.Memory ?? 0;
  if (memoryBytes < 0 || (memoryBytes > 0 && memoryBytes < minMemoryBytes)) {
    throw new Fault("invalid", "Minimum memory limit allowed is 6MB");
  }
  const nanoCpus = host.NanoCpus ?? 0;
  if (nanoCpus < 0) throw new Fault("invalid", "range of CPUs is invalid: it must not be negative");
  return { memoryBytes, nanoCpus, pids: Math.max(host.PidsLimit ?? 0, 0) };
}

function shmSize(wanted: number | undefined): number {
  if (wanted === undefined || wanted === 0) return defaultShmSizeBytes;
  if (wanted < 0) throw new Fault("invalid", "SHM size can not be less than 0");
  return wanted;
}

function logging(wanted: HostConfig["LogConfig"] | undefined, defaults: SpecDefaults): ContainerSpec["logging"] {
  const type = wanted?.Type ?? "";
  if (type === "") return { driver: defaults.logDriver, options: { ...defaults.logOptions, ...wanted?.Config } };
  if (type === "local" || type === "json-file" || type === "none")
    return { driver: type, options: wanted?.Config ?? {} };
  throw new Fault("unsupported", `--log-driver ${type.slice(0, 50)} is not supported yet (HostConfig.LogConfig)`, {
    remedy: "Use local, json-file or none.",
  });
}

function readTmpfs(wanted: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(wanted).map(([target, options]) => [checkTarget(target), options]));
}

function checkTargets<T extends { readonly target: string }>(mounts: readonly T[]): readonly T[] {
  const seen = new Set<string>();
  for (const { target } of mounts) {
    if (seen.has(target)) throw new Fault("invalid", `Duplicate mount point: ${target}`);
    seen.add(target);
  }
  return mounts;
}

function checkEnv(entry: string): string {
  if (entry === "" || entry.startsWith("="))
    throw new Fault("invalid", `invalid environment variable: ${entry.slice(0, 100)}`);
  if (entry.includes("\0")) throw new Fault("invalid", "invalid environment variable: it contains a NUL byte");
  return entry;
}

function checkWorkingDir(path: string): string {
  if (!path.startsWith("/")) {
    throw new Fault(
      "invalid",
      `the working directory '${path.slice(0, 200)}' is invalid, it needs to be an absolute path`,
    );
  }
  return path;
}

function checkHostname(name: string): string {
  if (name.length > 64 || !/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$/.test(name)) {
    throw new Fault("invalid", `invalid hostname: ${name.slice(0, 100)}`, {
      remedy: "A hostname has at most 64 letters, digits, dots, hyphens and underscores.",
    });
  }
  return name;
}

function checkExtraHost(entry: string): string {
  const [, name, address] = /^([^:=]+)[:=](.+)$/.exec(entry) ?? [];
  if (name === undefined || address === undefined)
    throw new Fault("invalid", `bad format for add-host: "${entry.slice(0, 200)}"`);
  return `${name}:${address}`;
}

function isFilled(text: string | undefined): text is string {
  return text !== undefined && text !== "";
}
