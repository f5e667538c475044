import { type Descriptor, mediaType } from "#core/oci";
import type { Reference } from "#core/reference";
import type { Layers, Lease } from "#images";
import { type Attestation, attestationManifest } from "./attestations.ts";
import type { BuiltImage } from "./built.ts";
import { documentOf, type StoredDocument } from "./documents.ts";

/** One platform's image and what is said of it. */
export interface IndexedImage {
  readonly image: BuiltImage;
  readonly attestations: readonly Attestation[];
}

/** An index, and the documents that it names and that were made with it; itself is one of them. */
export interface MadeIndex {
  readonly index: StoredDocument;
  readonly documents: readonly StoredDocument[];
}

/** The index of several platforms' images, or of one with attestations: images first, then what is said of them, in the platforms' order. */
export function imageIndex(
  images: readonly IndexedImage[],
  options: { readonly tags: readonly Reference[]; readonly annotations?: Readonly<Record<string, string>> },
): MadeIndex {
  const { tags, annotations } = options;
  const attested = images
    .filter(({ attestations }) => attestations.length > 0)
    .map(({ image, attestations }) =>
      attestationManifest({ manifest: image.manifest, platform: image.platform, tags }, attestations),
    );
  const index = documentOf(
    {
      schemaVersion: 2,
      mediaType: mediaType.ociIndex,
      manifests: [
        ...images.map(({ image }) => ({ ...image.manifest, platform: image.platform })),
        ...attested.map(({ manifest }) => manifest.descriptor),
      ],
      ...(annotations !== undefined && { annotations }),
    },
    mediaType.ociIndex,
  );
  return { index, documents: [...attested.flatMap(({ documents }) => documents), index] };
}

/** Stores an index with its documents; the lease keeps them until somebody holds them. */
export async function storeIndex(
  layers: Pick<Layers, "putDocument">,
  { index, documents }: MadeIndex,
  lease: Lease,
): Promise<Descriptor> {
  for (const { descriptor, bytes } of documents) await layers.putDocument(bytes, descriptor.mediaType, lease);
  return index.descriptor;
}
