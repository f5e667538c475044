import { Fault } from "#core/fault";
import type { ContainerMount, MountRequest, VolumeMountRequest } from "../containers.ts";

/** All that may want something mounted in a container. */
export interface MountSources {
  /** `-v` and `--mount`. */
  readonly mounts: readonly MountRequest[];
  /** Targets of `--tmpfs`. */
  readonly tmpfs: readonly string[];
  /** Those of `--volumes-from`, in the order in which they were given. */
  readonly from: readonly { readonly mounts: readonly ContainerMount[]; readonly readOnly: boolean }[];
  /** Targets that the image or the request declare as volumes. */
  readonly volumes: readonly string[];
  readonly volumeDriver: string;
}

/** A mount of another container's is settled already. */
export type PlannedMount =
  | { readonly kind: "asked"; readonly mount: MountRequest }
  | { readonly kind: "inherited"; readonly mount: ContainerMount };

/**
 * What is mounted in a container, parents before what is mounted in them. As in Docker what was asked for comes before what
 * other containers have, and that before what the image declares; of several other containers the last one counts. Fault
 * `invalid` when two things are asked for at one target.
 */
export function planMounts(sources: MountSources): readonly PlannedMount[] {
  const asked = new Map<string, PlannedMount | undefined>();
  for (const target of sources.tmpfs) takeTarget(asked, target, undefined);
  for (const mount of sources.mounts) {
    takeTarget(asked, mount.target, { kind: "asked", mount: withDriver(mount, sources.volumeDriver) });
  }
  const all = new Map<string, PlannedMount | undefined>();
  for (const target of sources.volumes) {
    all.set(target, { kind: "asked", mount: ownVolume(target, sources.volumeDriver) });
  }
  for (const { mounts, readOnly } of sources.from) {
    for (const mount of mounts.filter(isPassedOn)) {
      all.set(mount.target, { kind: "inherited", mount: { ...mount, readOnly: mount.readOnly || readOnly } });
    }
  }
  for (const [target, planned] of asked) all.set(target, planned);
  return [...all.values()].filter((planned) => planned !== undefined).sort(byDepth);
}

/** Parents first; beside each other, by name. */
function byDepth({ mount: left }: PlannedMount, { mount: right }: PlannedMount): number {
  return depthOf(left.target) - depthOf(right.target) || (left.target < right.target ? -1 : 1);
}

/** How many names a clean path has. */
export function depthOf(path: string): number {
  return path.split("/").filter((part) => part !== "").length;
}

function takeTarget(taken: Map<string, PlannedMount | undefined>, target: string, planned: PlannedMount | undefined) {
  if (taken.has(target)) throw new Fault("invalid", `Duplicate mount point: ${target}`);
  taken.set(target, planned);
}

/** What is in memory, or an image's, is nobody's volume. */
function isPassedOn({ kind }: ContainerMount): boolean {
  return kind === "bind" || kind === "volume";
}

function withDriver(mount: MountRequest, volumeDriver: string): MountRequest {
  if (mount.kind !== "volume" || mount.driver !== "" || mount.text === undefined) return mount;
  return { ...mount, driver: volumeDriver };
}

function ownVolume(target: string, driver: string): VolumeMountRequest {
  return { kind: "volume", name: "", target, readOnly: false, driver, options: {}, labels: {}, noCopy: false };
}
