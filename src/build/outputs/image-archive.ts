import { type Digest, hexOf } from "#core/digest";
import { Fault } from "#core/fault";
import { type Descriptor, type Manifest, mediaType } from "#core/oci";
import { canonical, familiar, type Reference } from "#core/reference";
import { tarHeader, type TarHeader } from "#core/tar";
import { writeTar } from "#core/tar-write";
import type { Layers } from "#images";
import type { BuiltImage } from "./built.ts";
import type { MadeIndex } from "./image-index.ts";

/** What an archive of a build holds. */
export interface ArchiveOrder {
  /** `docker`: as `docker load` of any age takes it, too; of one platform, without attestations. */
  readonly form: "oci" | "docker";
  readonly images: readonly BuiltImage[];
  readonly tags: readonly Reference[];
  /** Of several platforms or attestations; its documents need not be in the store. */
  readonly index?: MadeIndex;
  /** For the annotation that says when. */
  readonly created?: string;
}

type Entry = { readonly header: TarHeader; readonly data?: AsyncIterable<Uint8Array> | Uint8Array };

/** The archive: an OCI layout (image-spec image-layout.md), with a docker-archive's manifest.json where asked for. The same images give the same bytes. Fault `invalid` for what a docker-archive cannot hold. */
export function imageArchive(
  layers: Pick<Layers, "readBlob">,
  order: ArchiveOrder,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { form, index, images } = order;
  if (form === "docker" && (index !== undefined || images.length !== 1))
    throw new Fault("invalid", "docker exporter does not currently support exporting manifest lists", {
      remedy: "Build one platform without attestations, or export type=oci.",
    });
  return writeTar(entriesOf(layers, order, signal));
}

async function* entriesOf(
  layers: Pick<Layers, "readBlob">,
  order: ArchiveOrder,
  signal: AbortSignal,
): AsyncGenerator<Entry, void, void> {
  const manifests = await Promise.all(order.images.map(async (image) => await manifestOf(layers, image)));
  yield { header: tarHeader({ type: "directory", path: "blobs/" }) };
  yield { header: tarHeader({ type: "directory", path: "blobs/sha256/" }) };
  const made = new Map((order.index?.documents ?? []).map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  const stored = [
    ...order.images.map(({ manifest }) => manifest),
    ...manifests.flatMap((each) => [each.config, ...each.layers]),
  ];
  const sizes = new Map(stored.map(({ digest, size }) => [digest, size]));
  for (const [digest, bytes] of made) sizes.set(digest, bytes.length);
  for (const digest of [...sizes.keys()].sort()) {
    signal.throwIfAborted();
    const header = tarHeader({ type: "file", path: blobPath(digest), sizeBytes: sizes.get(digest) ?? 0 });
    yield { header, data: made.get(digest) ?? layers.readBlob(digest) };
  }
  yield document("index.json", layoutIndex(order));
  if (order.form === "docker") yield document("manifest.json", dockerManifest(manifests, order.tags));
  yield document("oci-layout", { imageLayoutVersion: "1.0.0" });
}

async function manifestOf(layers: Pick<Layers, "readBlob">, { manifest }: BuiltImage): Promise<Manifest> {
  const pieces: Uint8Array[] = [];
  for await (const piece of layers.readBlob(manifest.digest)) pieces.push(piece);
  return JSON.parse(Buffer.concat(pieces).toString()) as Manifest; // we wrote it
}

function layoutIndex({ images, tags, index, created }: ArchiveOrder): unknown {
  const named: Descriptor[] =
    index === undefined
      ? images.map(({ manifest, platform }) => ({ ...manifest, platform }))
      : [index.index.descriptor];
  const time = created === undefined ? {} : { "org.opencontainers.image.created": created };
  const manifests = named.flatMap((descriptor) => {
    if (tags.length === 0) return [created === undefined ? descriptor : annotated(descriptor, time)];
    return tags.map((tag) => {
      const name = {
        "io.containerd.image.name": canonical(tag),
        "org.opencontainers.image.ref.name": tag.tag ?? "latest",
      };
      return annotated(descriptor, { ...name, ...time });
    });
  });
  return { schemaVersion: 2, mediaType: mediaType.ociIndex, manifests };
}

function annotated(descriptor: Descriptor, annotations: Readonly<Record<string, string>>): Descriptor {
  return { ...descriptor, annotations: { ...descriptor.annotations, ...annotations } };
}

function dockerManifest(manifests: readonly Manifest[], tags: readonly Reference[]): unknown {
  return manifests.map(({ config, layers }) => ({
    Config: blobPath(config.digest),
    RepoTags: tags.length === 0 ? null : tags.map((tag) => familiar(tag)),
    Layers: layers.map(({ digest }) => blobPath(digest)),
  }));
}

function document(path: string, value: unknown): Entry {
  const data = Buffer.from(JSON.stringify(value));
  return { header: tarHeader({ type: "file", path, sizeBytes: data.length }), data };
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}
