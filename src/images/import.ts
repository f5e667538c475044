import { ByteReader } from "#core/byte-reader";
import type { Clock } from "#core/clock";
import { rfc3339Nano } from "#core/clock";
import { type Digest, Digester } from "#core/digest";
import { type Descriptor, type ImageConfig, type Manifest, mediaType, nativePlatform } from "#core/oci";
import { applyChanges } from "./changes.ts";
import { decompress, detectCompression } from "./decompress.ts";
import { imageEvent } from "./image-event.ts";
import type { Images } from "./images.ts";
import type { Lease } from "./leases.ts";
import type { LoadParts } from "./load.ts";
import { putDocument } from "./put-document.ts";

/** `docker import`: a root filesystem's tar, plain or packed, becomes an image of one layer. Faults: `invalid` for bad changes and for what is no tar. */
export async function importArchive(
  parts: LoadParts & { readonly clock: Clock },
  archive: AsyncIterable<Uint8Array>,
  options: Parameters<Images["importArchive"]>[1],
  signal: AbortSignal,
): Promise<Digest> {
  const defaults = applyChanges({}, options.changes);
  const { content, leases, unpacker, clock, catalog, events } = parts;
  await using lease = leases.open("discard");
  const { blob, diffId } = await storeLayer(parts, archive, lease, signal);
  await unpacker.unpack({ blob, diffId, parent: undefined }, lease, signal);
  const created = rfc3339Nano(clock.now());
  const { os, architecture, variant } = options.platform ?? nativePlatform();
  const config: ImageConfig = {
    architecture,
    ...(variant !== undefined && { variant }),
    created,
    config: defaults,
    history: [{ created, comment: options.message || "Imported from -" }],
    os,
    rootfs: { type: "layers", diff_ids: [diffId] },
  };
  const stored = await putDocument(content, config, mediaType.ociConfig, lease);
  const manifest: Manifest = { schemaVersion: 2, mediaType: mediaType.ociManifest, config: stored, layers: [blob] };
  const { digest } = await putDocument(content, manifest, mediaType.ociManifest, lease);
  const tags = options.reference === undefined ? [] : [options.reference];
  const id = await parts.adopt({ manifest: digest, tags }, lease);
  if (!content.has(id)) throw new Error(`the config of ${id} is not stored`);
  events.emit(imageEvent(catalog.image(id), id, id, "import"));
  return id;
}

/** Stores the layer in a form that registries take: as it came when plain, gzip or zstd, else plain. */
async function storeLayer(
  { content, shim }: LoadParts,
  archive: AsyncIterable<Uint8Array>,
  lease: Lease,
  signal: AbortSignal,
): Promise<{ readonly blob: Descriptor; readonly diffId: Digest }> {
  const reader = new ByteReader(archive);
  const compression = await detectCompression(reader);
  const protect = (digest: Digest): void => lease.protect(digest);
  if (compression !== "gzip" && compression !== "zstd") {
    const { digest, sizeBytes } = await content.put(decompress(reader.rest(), shim, signal), protect);
    return { blob: { mediaType: mediaType.ociLayer, digest, size: sizeBytes }, diffId: digest };
  }
  const { digest, sizeBytes } = await content.put(reader.rest(), protect);
  const digester = new Digester();
  for await (const piece of decompress(content.stream(digest), shim, signal)) {
    signal.throwIfAborted();
    digester.update(piece);
  }
  const type = compression === "gzip" ? mediaType.ociLayerGzip : mediaType.ociLayerZstd;
  return { blob: { mediaType: type, digest, size: sizeBytes }, diffId: digester.digest() };
}
