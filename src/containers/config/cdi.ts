import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "#core/fault";
import type { DeviceCapabilityRequest } from "../containers.ts";
import { type DeviceAccess, requestedDevice } from "./devices.ts";
import type { RuntimeHook, RuntimeHooks, RuntimeMount } from "./runtime-spec.ts";

/** Where the Container Device Interface keeps what vendors say of their devices; later folders win. */
export const defaultCdiFolders: readonly string[] = ["/etc/cdi", "/var/run/cdi"];

/** What the devices that a container asked for add to it. */
export interface Injection extends DeviceAccess {
  readonly mounts: readonly RuntimeMount[];
  readonly env: readonly string[];
  readonly hooks: RuntimeHooks;
  readonly groups: readonly number[];
}

/**
 * What `--gpus` and `--device vendor.com/class=name` ask for, by the CDI specifications (version 1, JSON or YAML) in these folders.
 * They bring mounts and programs of the host, so only root's files are read. Faults `invalid`, in Docker's words.
 */
export async function injectDevices(
  requests: readonly DeviceCapabilityRequest[],
  folders: readonly string[],
): Promise<Injection> {
  if (requests.length === 0) return combine([]);
  const known = await readSpecs(folders);
  const names = requests.flatMap((request) => namesOf(request, known));
  const unknown = names.filter((name) => !known.devices.has(name));
  if (unknown.length > 0) {
    throw new Fault("invalid", `CDI device injection failed: unresolvable CDI devices ${unknown.join(", ")}`, {
      remedy: `Known: ${[...known.devices.keys()].slice(0, 20).join(", ") || "none"}. Specifications are read from ${folders.join(" and ")}.`,
    });
  }
  const edits = [...new Set(names)].flatMap((name) => known.devices.get(name) ?? []);
  // What belongs to a whole specification comes once.
  return combine(await Promise.all([...new Set(edits)].map(applied)));
}

interface KnownDevices {
  /** By qualified name: its specification's edits, then its own. */
  readonly devices: ReadonlyMap<string, readonly Edits[]>;
}

/** containerEdits of the CDI specification; what it does not say is absent. */
interface Edits {
  readonly env?: readonly string[];
  readonly deviceNodes?: readonly {
    readonly path: string;
    readonly hostPath?: string;
    readonly permissions?: string;
    readonly uid?: number;
    readonly gid?: number;
    readonly fileMode?: number;
  }[];
  readonly mounts?: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly type?: string;
    readonly options?: readonly string[];
  }[];
  readonly hooks?: readonly (RuntimeHook & { readonly hookName: string })[];
  readonly additionalGids?: readonly number[];
}

interface Specification {
  readonly kind: string;
  readonly devices: readonly { readonly name: string; readonly containerEdits?: Edits }[];
  readonly containerEdits?: Edits;
}

function namesOf(request: DeviceCapabilityRequest, known: KnownDevices): string[] {
  if (request.driver === "cdi") return [...request.deviceIds];
  const kind = gpuKind(request, known);
  if (kind === undefined) {
    const wanted = request.capabilities.map((all) => `[${all.join(" ")}]`).join(" ");
    throw new Fault(
      "invalid",
      `could not select device driver ${JSON.stringify(request.driver)} with capabilities: [${wanted}]`,
      {
        remedy: "Describe the GPUs by CDI specifications, as by nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml.",
      },
    );
  }
  const ofKind = [...known.devices.keys()].filter((name) => name.startsWith(`${kind}=`) && name !== `${kind}=all`);
  if (request.deviceIds.length > 0) return request.deviceIds.map((id) => `${kind}=${id}`);
  if (request.count >= 0)
    return Array.from({ length: request.count }, (_none, index) => ofKind[index] ?? `${kind}=${index}`);
  return known.devices.has(`${kind}=all`) ? [`${kind}=all`] : ofKind;
}

/** The vendor's GPUs: the driver names the vendor, else the first that there is, NVIDIA's before others. */
function gpuKind({ driver, capabilities }: DeviceCapabilityRequest, { devices }: KnownDevices): string | undefined {
  if (!capabilities.some((all) => all.includes("gpu"))) return undefined;
  const kinds = [...new Set([...devices.keys()].map((name) => name.split("=", 1)[0] ?? ""))];
  const gpus = kinds.filter((kind) => kind.endsWith("/gpu") && (driver === "" || kind.startsWith(`${driver}.`)));
  return gpus.find((kind) => kind === "nvidia.com/gpu") ?? gpus[0];
}

async function readSpecs(folders: readonly string[]): Promise<KnownDevices> {
  const devices = new Map<string, readonly Edits[]>();
  for (const folder of folders) {
    const names: string[] = (await readdir(folder).catch((): string[] => [])).toSorted();
    for (const name of names.filter((one) => /\.(?:json|ya?ml)$/.test(one))) {
      const { kind, devices: described, containerEdits: shared } = await readSpec(join(folder, name));
      for (const device of described) {
        devices.set(
          `${kind}=${device.name}`,
          [shared, device.containerEdits].filter((edits) => edits !== undefined),
        );
      }
    }
  }
  return { devices };
}

async function readSpec(path: string): Promise<Specification> {
  for (const place of [dirname(path), path]) {
    const { uid, mode } = await stat(place);
    if (uid === 0 && (mode & 0o022) === 0) continue;
    throw new Fault("invalid", `CDI device injection failed: ${place} can be written by others than root`, {
      remedy: `chown root ${place}; chmod go-w ${place}`,
    });
  }
  try {
    const spec = await parsed(path);
    if (typeof spec?.kind === "string" && Array.isArray(spec.devices)) return spec as Specification;
  } catch (error) {
    throw new Fault("invalid", `CDI device injection failed: ${path}: ${(error as Error).message}`, { cause: error });
  }
  throw new Fault("invalid", `CDI device injection failed: ${path}: no kind or no devices`);
}

async function parsed(path: string): Promise<Partial<Specification> | null> {
  const text = await readFile(path, "utf8");
  if (path.endsWith(".json")) return JSON.parse(text) as Partial<Specification>;
  const { parse } = await import("yaml"); // few machines have a need of it
  return parse(text) as Partial<Specification> | null;
}

async function applied(edits: Edits): Promise<Injection> {
  const access = await Promise.all(
    (edits.deviceNodes ?? []).map(async ({ path, hostPath = path, permissions = "rwm", uid, gid, fileMode }) => {
      const { nodes, rules } = await requestedDevice({ hostPath, containerPath: path, permissions });
      const changes = {
        ...(uid !== undefined && { uid }),
        ...(gid !== undefined && { gid }),
        ...(fileMode !== undefined && { fileMode }),
      };
      return { nodes: nodes.map((node) => Object.assign(node, changes)), rules };
    }),
  );
  const hooks: Record<string, RuntimeHook[]> = {};
  for (const { hookName, ...hook } of edits.hooks ?? []) (hooks[hookName] ??= []).push(hook);
  return {
    nodes: access.flatMap(({ nodes }) => nodes),
    rules: access.flatMap(({ rules }) => rules),
    mounts: (edits.mounts ?? []).map(({ hostPath, containerPath, type, options }) => ({
      destination: containerPath,
      type: type ?? "bind",
      source: hostPath,
      options: options ?? ["ro", "nosuid", "nodev", "rbind", "rprivate"],
    })),
    env: edits.env ?? [],
    hooks,
    groups: edits.additionalGids ?? [],
  };
}

function combine(injections: readonly Injection[]): Injection {
  const hooks: Record<string, RuntimeHook[]> = {};
  for (const injection of injections) {
    for (const [name, some] of Object.entries(injection.hooks)) (hooks[name] ??= []).push(...some);
  }
  return {
    nodes: injections.flatMap(({ nodes }) => nodes),
    rules: injections.flatMap(({ rules }) => rules),
    mounts: injections.flatMap(({ mounts }) => mounts),
    env: injections.flatMap(({ env }) => env),
    groups: [...new Set(injections.flatMap(({ groups }) => groups))],
    hooks,
  };
}
