import { batch } from "#core/batch";
import { type Clock, rfc3339Nano } from "#core/clock";
import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import { type Descriptor, type HistoryEntry, type ImageConfig, type Manifest, mediaType } from "#core/oci";
import { familiar } from "#core/reference";
import { guardSpace } from "#host";
import type { ImageRecord } from "./catalog.ts";
import { chainIdsOf } from "./chain-id.ts";
import { applyChanges } from "./changes.ts";
import { imageEvent } from "./image-event.ts";
import type { Images } from "./images.ts";
import { LayerDiff } from "./layer-diff.ts";
import { layerBlobs } from "./layer-blobs.ts";
import type { Lease } from "./leases.ts";
import type { LoadParts } from "./load.ts";
import { putDocument } from "./put-document.ts";
import type { Roots } from "./roots.ts";
import { readFromTar, upperArgs } from "./run-tar.ts";

type CommitParts = LoadParts & { readonly clock: Clock; readonly roots: Roots };
type Options = Parameters<Images["commitRoot"]>[1];

/** `docker commit`: a container's writable layer on its image's layers becomes an image. Of a failure nothing stays. */
export async function commitRoot(
  parts: CommitParts,
  container: string,
  options: Options,
  signal: AbortSignal,
): Promise<Digest> {
  const { catalog, content, leases, events } = parts;
  const defaults = applyChanges(options.config, options.changes);
  const parent = parentOf(parts, container);
  await using lease = leases.open("discard");
  const below = await layersOf(parts, parent, lease);
  const layer = await storeDiff(parts, container, parent, lease, signal);
  const created = rfc3339Nano(parts.clock.now());
  const { author, comment } = options;
  const step: HistoryEntry = {
    created,
    created_by: options.createdBy,
    ...(author !== "" && { author }),
    ...(comment !== "" && { comment }),
    ...(layer === undefined && { empty_layer: true }),
  };
  const { author: _author, ...platform } = parent.config;
  const config: ImageConfig = {
    ...platform,
    created,
    ...(author !== "" && { author }),
    config: defaults,
    history: [...(parent.config.history ?? []), step],
    rootfs: {
      type: "layers",
      diff_ids: [...parent.config.rootfs.diff_ids, ...(layer === undefined ? [] : [layer.digest])],
    },
  };
  const stored = await putDocument(content, config, mediaType.ociConfig, lease);
  const layers = [...below, ...(layer === undefined ? [] : [layer])];
  const manifest: Manifest = { schemaVersion: 2, mediaType: mediaType.ociManifest, config: stored, layers };
  const { digest } = await putDocument(content, manifest, mediaType.ociManifest, lease);
  signal.throwIfAborted();
  const tags = options.reference === undefined ? [] : [options.reference];
  const id = await parts.adopt({ manifest: digest, tags }, lease);
  const image = catalog.image(id);
  events.emit(imageEvent(image, id, id, "create"));
  for (const tag of tags) events.emit(imageEvent(image, id, familiar(tag), "tag"));
  return id;
}

function parentOf({ catalog, roots }: CommitParts, container: string): ImageRecord {
  const id = roots.imageOf(container);
  const image = id === undefined ? undefined : catalog.image(id);
  if (image !== undefined) return image;
  throw new Fault("notFound", `the image of container ${container} is not here any more`, {
    remedy: "Export the container and import the archive instead.",
  });
}

async function layersOf({ content }: CommitParts, { manifest }: ImageRecord, lease: Lease): Promise<Descriptor[]> {
  lease.protect(manifest);
  const layers = await layerBlobs(content, manifest);
  for (const { digest } of layers) lease.protect(digest);
  return layers;
}

/** Stores the writable layer as a blob and unpacks it, so that its DiffID is proven; undefined when nothing was written. The blob is plain, as it is the DiffID's bytes then. */
async function storeDiff(
  parts: CommitParts,
  container: string,
  parent: ImageRecord,
  lease: Lease,
  signal: AbortSignal,
): Promise<Descriptor | undefined> {
  const { content, roots, shim, unpacker } = parts;
  const upper = roots.upperOf(container);
  const diff = new LayerDiff();
  const tar = readFromTar(shim, { ...upper, args: upperArgs }, new Uint8Array(), signal);
  const layer = batch(guardSpace(diff.translate(tar), roots.folder));
  const { digest, sizeBytes } = await content.put(layer, (digest) => lease.protect(digest));
  if (diff.isEmpty) return undefined;
  const blob = { mediaType: mediaType.ociLayer, digest, size: sizeBytes };
  await unpacker.unpack(
    { blob, diffId: digest, parent: chainIdsOf(parent.config.rootfs.diff_ids).at(-1) },
    lease,
    signal,
  );
  return blob;
}
