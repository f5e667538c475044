import { dirname } from "node:path";
import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { type Digest, digestOf } from "#core/digest";
import { asFault, Fault } from "#core/fault";
import type { Descriptor } from "#core/oci";
import { guardSpace } from "#host";
import type { ContentStore } from "./content.ts";
import type { Lease } from "./leases.ts";
import { type DocumentToPush, packedType, type PushPlan } from "./push-plan.ts";

/** A layer as it is in registries. */
export interface PackedLayer {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** Packs a plain layer into the store, under the lease: by gzip without name and time, so that the same layer gives the same bytes. */
export async function packLayer(
  content: ContentStore,
  layer: Descriptor,
  lease: Lease,
  onProgress: (doneBytes: number) => void,
  signal: AbortSignal,
): Promise<PackedLayer> {
  await using draft = await content.draft();
  let doneBytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array, void, void> {
    for await (const piece of content.stream(layer.digest)) {
      signal.throwIfAborted();
      yield piece;
      doneBytes += piece.length;
      onProgress(doneBytes);
    }
  }
  const gzip = createGzip({ level: 6, memLevel: 8, chunkSize: 1 << 18 });
  // A failure of the source destroys the packer with that error, so the loop below throws it.
  pipeline(Readable.from(counted(), { objectMode: false }), gzip, () => undefined);
  try {
    for await (const piece of guardSpace(gzip, dirname(content.pathOf(layer.digest)))) await draft.write(piece);
  } catch (error) {
    if (signal.aborted) throw new Fault("cancelled", "context canceled", { cause: error });
    throw asFault(error);
  }
  return await draft.keep((digest) => lease.protect(digest));
}

/** The manifest with its plain layers as they were packed. */
export function packedManifest(
  { documents, blobs }: PushPlan,
  packedOf: (diffId: Digest) => PackedLayer | undefined,
): DocumentToPush {
  const original = documents.at(-1);
  if (original === undefined) throw new Error("a push without a document");
  const document = JSON.parse(Buffer.from(original.bytes).toString("utf8")) as { layers: Descriptor[] };
  const toPack = new Set(blobs.filter(({ pack }) => pack).map(({ descriptor }) => descriptor.digest));
  const layers = document.layers.map((layer): Descriptor => {
    if (!toPack.has(layer.digest)) return layer;
    const packed = packedOf(layer.digest);
    if (packed === undefined) throw new Error(`layer ${layer.digest} was pushed and is not known to be packed`);
    const { digest, sizeBytes: size } = packed;
    return { ...layer, mediaType: packedType[layer.mediaType] ?? layer.mediaType, digest, size };
  });
  const bytes = Buffer.from(JSON.stringify({ ...document, layers }));
  const unpacked = original.names.filter((name) => !toPack.has(name));
  return { bytes, mediaType: original.mediaType, digest: digestOf(bytes), names: unpacked };
}
