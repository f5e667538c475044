import { parseLink } from "#core/container-link";
import { stat } from "node:fs/promises";
import { Fault, isFault } from "#core/fault";
import { newId, shortId } from "#core/ids";
import { isAlone, isHosted, isNamed } from "#networks";
import { announce } from "../announce.ts";
import { resolveCapabilities } from "../config/capabilities.ts";
import { healthWarnings } from "../config/healthcheck.ts";
import { checkSpec } from "../config/checks.ts";
import type { ContainerSpec } from "../containers.ts";
import { foldersOf } from "./folders.ts";
import { settleLimits, withDefaultSwap } from "../config/limits.ts";
import { checkUserNamespace, joinById, takeUserMapping } from "./namespaces.ts";
import { seccompOf } from "./seccomp.ts";
import { generateName, parseName } from "../config/name.ts";
import { endpointsOfMode, isDefaultBridge, parseNetworkMode } from "../config/network-mode.ts";
import { resolveProcess } from "../config/process.ts";
import { rootSizeOf } from "../config/root-size.ts";
import { settleMounts } from "../mounts/settle.ts";
import { parseSecurityOptions } from "../config/security-options.ts";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";

/** Makes a container: its record and its writable layer, or (if anything is wrong) nothing. */
export async function create(
  room: Room,
  request: ContainerSpec,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly warnings: readonly string[] }> {
  const { machine, cgroups } = room.host;
  const checked = checkSpec(request, machine);
  const limits = settleLimits(request.limits, { cgroups: cgroups.limits, cpus: machine.cpus }, "create");
  const warnings = [...limits.warnings, ...checked, ...cgroupWarnings(request, cgroups.version)];
  const image = room.images.find(request.image, request.platform);
  checkRuntime(room, request.runtime);
  checkUserNamespace(room, request);
  const capabilities = resolveCapabilities(
    { add: request.capAdd, drop: request.capDrop, privileged: request.privileged },
    (name) => machine.hasCapability(name),
  );
  seccompOf(room, request, capabilities);
  await checkBindSources(request);
  const spec = joinById(room, joinNetwork(room, { ...request, limits: withDefaultSwap(limits.limits) }));
  const resolved = resolveProcess(spec, image.config.config ?? {});
  warnings.push(...healthWarnings(resolved.healthcheck), ...portWarnings(room, spec));
  signal.throwIfAborted();
  const id = newId();
  // The writable layer comes first: one without a record is collected, a record without one would be broken.
  await room.images.createRoot(image.id, id, rootSizeOf(request.storageOptions));
  try {
    await using settled = await settleMounts(room, id, spec, resolved.volumes ?? []);
    await settled.fill(signal);
    const { jsonLog, hosts, hostname, resolvConf } = foldersOf(room.host.paths, id);
    const userMapping = takeUserMapping(room, spec);
    const record: ContainerRecord = {
      id,
      name: chooseName(room, spec.name),
      createdNs: room.clock.now(),
      spec,
      imageId: image.id,
      process: resolved,
      hostname: hostnameOf(room, spec, id),
      mounts: settled.mounts,
      state: { status: "created" },
      restartCount: 0,
      stoppedByHand: false,
      logPath: spec.logging.driver === "json-file" && spec.logging.byDefault !== true ? jsonLog : "",
      files: { hosts, hostname, resolvConf },
      ...(userMapping !== undefined && { userMapping }),
    };
    room.store.insert(record, () => room.volumes.hold(id, settled.volumes));
    settled.keep();
    announce(room, record, "create");
  } catch (error) {
    await room.images.dropRoot(id);
    throw error;
  }
  // What is answered outlives a power cut; a start then waits for no disk.
  await Promise.all([room.host.database.sync(), room.images.rootsSettled()]);
  return { id, warnings };
}

/** Version 2 knows who may write which of its files; version 1 does not. */
function cgroupWarnings({ securityOptions }: ContainerSpec, version: 1 | 2): string[] {
  if (version === 2 || parseSecurityOptions(securityOptions).writableCgroups !== true) return [];
  return ["With cgroup v1 a container with writable cgroups can lift its own limits"];
}

/** In a macvlan or ipvlan network a container is reached at its own address; its host publishes nothing. */
function portWarnings({ networks }: Room, { ports, endpoints }: ContainerSpec): string[] {
  const joined = networks.list().filter((each) => endpoints.some(({ network }) => isNamed(network, each)));
  const [first] = joined;
  if (ports.length === 0 || first === undefined || isAlone(first.driver) || joined.some(isHosted)) return [];
  return [`Published ports are discarded when using ${first.driver} network mode`];
}

function chooseName(room: Room, wanted: string | undefined): string {
  return wanted === undefined ? generateName((name) => room.store.byName(name) !== undefined) : parseName(wanted);
}

function checkRuntime({ host }: Room, name: string | undefined): void {
  if (name !== undefined && host.runtimes.paths[name] === undefined) {
    throw new Fault("invalid", `unknown or invalid runtime name: ${name.slice(0, 100)}`, {
      remedy: `Known runtimes: ${Object.keys(host.runtimes.paths).join(", ")}.`,
    });
  }
}

/** `--mount` wants the source to be there already; `-v` makes it at the start. */
async function checkBindSources(spec: ContainerSpec): Promise<void> {
  for (const mount of spec.mounts) {
    if (mount.kind !== "bind" || mount.createSource) continue;
    const found = await stat(mount.source).catch(() => undefined);
    if (found !== undefined) continue;
    throw new Fault(
      "invalid",
      `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
    );
  }
}

/** Who is linked to on the default bridge must be there. Invalid, not unknown: clients take that for a missing image. */
function mustKnow(room: Room, links: readonly string[]): void {
  for (const link of links) {
    const { container } = parseLink(link);
    try {
      room.store.find(container);
    } catch (error) {
      if (!isFault(error, "notFound")) throw error;
      throw new Fault("invalid", `could not get container for ${container}: ${error.message}`, { cause: error });
    }
  }
}

/** The mode's network is one of those that it is in. In `container:` mode the other container's id is kept, so that a rename does not change whose network it is. */
function joinNetwork(room: Room, spec: ContainerSpec): ContainerSpec {
  const mode = parseNetworkMode(spec.networkMode);
  for (const { network, links } of spec.endpoints) if (isDefaultBridge(network)) mustKnow(room, links);
  if (mode.kind === "network" && spec.endpoints.length === 0 && spec.networkDisabled !== true) {
    return { ...spec, endpoints: endpointsOfMode(spec.networkMode) };
  }
  if (mode.kind !== "container") return spec;
  try {
    return { ...spec, networkMode: `container:${room.store.find(mode.containerId).id}` };
  } catch (error) {
    if (!isFault(error, "notFound")) throw error;
    throw new Fault("invalid", `joining network namespace of container: ${error.message}`, { cause: error });
  }
}

/** The given one, else the short id; the host's own in its network or UTS namespace, and the other container's in `container:` mode. */
function hostnameOf(room: Room, spec: ContainerSpec, id: string): string {
  if (spec.hostname !== undefined) return spec.hostname;
  const mode = parseNetworkMode(spec.networkMode);
  if (mode.kind === "host" || spec.namespaces.uts === "host") return room.host.machine.hostname;
  if (mode.kind === "container") return room.store.find(mode.containerId).hostname;
  return shortId(id);
}
