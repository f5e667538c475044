import { Fault, isFault } from "#core/fault";
import type { Image } from "#images";
import type { VolumeLease } from "#volumes";
import { planMounts, type PlannedMount } from "../config/plan-mounts.ts";
import type {
  ContainerMount,
  ContainerSpec,
  ImageMountRequest,
  VolumeMount,
  VolumeMountRequest,
} from "../containers.ts";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";

/** The mounts of a container that is being made, with the volumes and images that they stand for. Disposed without `keep`, what was made for it goes again. */
export interface SettledMounts extends AsyncDisposable {
  readonly mounts: readonly ContainerMount[];
  /** Volumes to be held for it. */
  readonly volumes: readonly string[];
  /** Fills those volumes that are empty from the container's root. */
  fill(signal: AbortSignal): Promise<void>;
  /** The container is there, and holds all of them. */
  keep(): void;
}

/** Plans a container's mounts, makes the volumes that are not there, and holds the images. */
export async function settleMounts(
  room: Room,
  id: string,
  spec: ContainerSpec,
  declared: readonly string[],
): Promise<SettledMounts> {
  await using undo = new AsyncDisposableStack();
  const plan = planMounts({
    mounts: spec.mounts,
    tmpfs: Object.keys(spec.tmpfs),
    from: spec.volumesFrom.map((text) => donorOf(room, text)),
    volumes: declared,
    volumeDriver: spec.volumeDriver,
  });
  const images = findImages(room, plan);
  const mounts: ContainerMount[] = [];
  let kept = false;
  undo.defer(async () => {
    if (!kept) for (const root of imageRoots({ mounts })) await room.images.dropRoot(root);
  });
  for (const planned of plan) mounts.push(await settle(room, id, planned, images, undo));
  const held = undo.move();
  const inherited = new Set(plan.filter(({ kind }) => kind === "inherited").map(({ mount }) => mount.target));
  const fresh = mounts.filter(isVolume).filter(({ target }) => !inherited.has(target));
  return {
    mounts,
    volumes: [...new Set(mounts.filter(isVolume).map(({ name }) => name))],
    fill: async (signal) => await fillAll(room, id, fresh, signal),
    keep: () => {
      kept = true;
    },
    [Symbol.asyncDispose]: async () => await held.disposeAsync(),
  };
}

/** Whether it is one, for filters. */
export function isVolume(mount: ContainerMount): mount is VolumeMount {
  return mount.kind === "volume";
}

/** The volumes that came with a container and that nobody gave a name: `rm -v` takes them along. */
export function ownVolumes({ mounts }: Pick<ContainerRecord, "mounts">): string[] {
  return mounts
    .filter(isVolume)
    .filter(({ named }) => !named)
    .map(({ name }) => name);
}

/** The names by which the store holds the images that it has mounted. */
export function imageRoots({ mounts }: Pick<ContainerRecord, "mounts">): string[] {
  return mounts.flatMap((mount) => (mount.kind === "image" ? [mount.root] : []));
}

async function settle(
  room: Room,
  id: string,
  planned: PlannedMount,
  images: ReadonlyMap<ImageMountRequest, Image>,
  undo: AsyncDisposableStack,
): Promise<ContainerMount> {
  const { mount } = planned;
  if (planned.kind === "inherited") return planned.mount;
  if (mount.kind === "volume") {
    const { name } = mount;
    const { volume } = undo.use(await leaseVolume(room, mount));
    return { ...mount, name: volume.name, driver: volume.driver, source: volume.mountpoint, named: name !== "" };
  }
  const image = mount.kind === "image" ? images.get(mount) : undefined;
  if (mount.kind !== "image" || image === undefined) return mount as ContainerMount;
  const root = `${id}.${imageRootsBefore(images, mount)}`;
  await room.images.createRoot(image.id, root);
  return { ...mount, imageId: image.id, root };
}

async function leaseVolume(room: Room, { name, driver, labels, options }: VolumeMountRequest): Promise<VolumeLease> {
  try {
    return await room.volumes.lease({ name, driver, labels, options });
  } catch (error) {
    // Of a driver. Invalid, not unknown: clients take that for the container's image.
    if (isFault(error, "notFound")) throw new Fault("invalid", error.message, { cause: error, ...remedyOf(error) });
    throw error;
  }
}

function remedyOf({ remedy }: Fault): { readonly remedy?: string } {
  return remedy === undefined ? {} : { remedy };
}

/** Asked before anything is made. Invalid, not unknown: clients take that for the container's own image. */
function findImages(room: Room, plan: readonly PlannedMount[]): Map<ImageMountRequest, Image> {
  const found = new Map<ImageMountRequest, Image>();
  for (const { kind, mount } of plan) {
    if (kind !== "asked" || mount.kind !== "image") continue;
    try {
      found.set(mount, room.images.find(mount.source));
    } catch (error) {
      if (!isFault(error, "notFound")) throw error;
      throw new Fault("invalid", `invalid mount config for type "image": ${error.message}`, {
        cause: error,
        remedy: `Pull it first: docker pull ${mount.source}`,
      });
    }
  }
  return found;
}

function imageRootsBefore(images: ReadonlyMap<ImageMountRequest, Image>, mount: ImageMountRequest): number {
  return [...images.keys()].indexOf(mount);
}

function donorOf(room: Room, text: string): { readonly mounts: readonly ContainerMount[]; readonly readOnly: boolean } {
  const { container, readOnly } = parseVolumesFrom(text);
  try {
    return { mounts: room.store.find(container).mounts, readOnly };
  } catch (error) {
    if (!isFault(error, "notFound")) throw error;
    throw new Fault("invalid", `--volumes-from: ${error.message}`, { cause: error });
  }
}

/** `container[:ro|rw|z|Z]`. Fault `invalid` in Docker's words. */
export function parseVolumesFrom(text: string): { readonly container: string; readonly readOnly: boolean } {
  if (text === "") throw new Fault("invalid", "volumes-from specification cannot be an empty string");
  const [container = "", mode = ""] = text.split(/:(.*)/s);
  const words = mode.split(",").filter((word) => word !== "");
  const odd = words.find((word) => !["ro", "rw", "z", "Z"].includes(word));
  const clash = words.includes("ro") && words.includes("rw");
  if (odd !== undefined || clash) throw new Fault("invalid", `invalid mode: ${mode.slice(0, 100)}`);
  return { container, readOnly: words.includes("ro") };
}

async function fillAll(room: Room, id: string, mounts: readonly VolumeMount[], signal: AbortSignal): Promise<void> {
  const root = room.images.openRoot(id);
  for (const { name, target, noCopy, subpath } of mounts) {
    if (noCopy || subpath !== undefined) continue;
    await room.volumes.fill(name, { path: target, shownAt: (place) => root.shownAt(place) }, signal);
  }
}
