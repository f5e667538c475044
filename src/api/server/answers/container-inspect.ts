import { apiVersion, type ApiVersion, type ContainerConfig, type ContainerInspect } from "#api/wire";
import type { Container, ContainerSpec } from "#containers";
import { rfc3339Nano } from "#core/clock";
import type { Images } from "#images";
import type { Network } from "#networks";
import { networkSettings, shownNetworkMode } from "./container-network.ts";
import { stateAnswer } from "./container-state.ts";
import { mountPoint } from "./mount-answer.ts";
import { hostConfigAnswer, type MachineFacts } from "./host-config.ts";

/** What an inspect answer is made from beside the container. */
export interface InspectSources {
  readonly images: Images;
  readonly networks: readonly Network[];
  readonly version: ApiVersion;
  readonly machine: MachineFacts;
  /** Given when the client asked for sizes. */
  readonly sizes?: { readonly writableBytes: number; readonly rootBytes: number };
}

/** `GET /containers/{id}/json`. */
export function containerInspect(container: Container, sources: InspectSources): ContainerInspect {
  const { images, version, machine, sizes } = sources;
  const { files, process } = container;
  return {
    Id: container.id,
    Created: rfc3339Nano(container.createdNs),
    Path: process.args[0] ?? "",
    Args: process.args.slice(1),
    State: stateAnswer(container),
    Image: container.imageId,
    ResolvConfPath: files.resolvConf,
    HostnamePath: files.hostname,
    HostsPath: files.hosts,
    LogPath: container.logPath,
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    Driver: graphDriver(container, images).Name,
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: container.execIds.length === 0 ? null : container.execIds,
    HostConfig: hostConfigAnswer(container, version, machine),
    GraphDriver: graphDriver(container, images),
    ...(sizes !== undefined && { SizeRw: sizes.writableBytes, SizeRootFs: sizes.rootBytes }),
    Mounts: container.mounts.map(mountPoint),
    Config: configAnswer(container, version),
    NetworkSettings: networkSettings(container, sources),
  };
}

function configAnswer({ spec, process, hostname }: Container, version: ApiVersion): ContainerConfig {
  return {
    Hostname: hostname,
    Domainname: spec.domainname ?? "",
    User: process.user,
    AttachStdin: spec.attach.stdin,
    AttachStdout: spec.attach.stdout,
    AttachStderr: spec.attach.stderr,
    ...(process.exposedPorts.length > 0 && {
      ExposedPorts: Object.fromEntries(process.exposedPorts.map((port) => [port, {}])),
    }),
    Tty: spec.tty,
    OpenStdin: spec.stdinOpen,
    StdinOnce: spec.stdinOnce,
    Env: process.env,
    Cmd: process.command.length === 0 ? null : process.command,
    ...(process.healthcheck !== undefined && { Healthcheck: process.healthcheck }),
    Image: spec.image,
    Volumes: volumesAnswer(process),
    WorkingDir: process.workingDir,
    Entrypoint: process.entrypoint.length === 0 ? null : process.entrypoint,
    ...macAddress(spec, version),
    OnBuild: null,
    Labels: process.labels,
    ...((spec.stopSignal !== undefined || process.stopSignal !== "SIGTERM") && { StopSignal: process.stopSignal }),
    ...(spec.stopTimeoutSeconds !== undefined && { StopTimeout: spec.stopTimeoutSeconds }),
  };
}

function volumesAnswer({ volumes = [] }: Container["process"]): ContainerConfig["Volumes"] {
  return volumes.length === 0 ? null : Object.fromEntries(volumes.map((target) => [target, {}]));
}

/** Of the mode's network, as it was asked for; the newer place is the endpoint's own field. */
function macAddress({ endpoints, networkMode }: ContainerSpec, version: ApiVersion): { readonly MacAddress?: string } {
  const main = endpoints.find(({ network }) => network === shownNetworkMode(networkMode));
  const asked = main?.macAddress ?? "";
  return asked !== "" || version < apiVersion("1.44") ? { MacAddress: asked } : {};
}

function graphDriver({ id }: Container, images: Images): ContainerInspect["GraphDriver"] {
  try {
    const { driver } = images.openRoot(id);
    return { Name: driver.name, Data: driver.data };
  } catch {
    return { Name: "overlay2", Data: null }; // it is being removed
  }
}
