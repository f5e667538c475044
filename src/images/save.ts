import { type Digest, digestOf, hexOf } from "#core/digest";
import type { EventSink } from "#core/event";
import { isFault } from "#core/fault";
import { type Descriptor, type Manifest, mediaType, type Platform } from "#core/oci";
import { canonical, familiar, familiarName, parseReference, type Reference } from "#core/reference";
import { nameBytes, tarHeader, type TarHeader } from "#core/tar";
import { writeTar } from "#core/tar-write";
import { type Catalog, idPrefixOf, type ImageRecord, repositoryOf } from "./catalog.ts";
import type { ContentStore } from "./content.ts";
import type { Found } from "./find.ts";
import { imageEvent } from "./image-event.ts";
import type { Leases } from "./leases.ts";
import { inOciWords } from "./oci-words.ts";
import { parseDocument } from "./registry/document.ts";

/** What saving works with. */
export interface SaveParts {
  readonly catalog: Catalog;
  readonly content: ContentStore;
  readonly leases: Leases;
  readonly events: EventSink;
}

/** An image to save, with the tags that it is to be known by. */
interface Saved {
  readonly image: ImageRecord;
  readonly tags: readonly Reference[];
}

/** Which images the names mean: a repository alone stands for all its tags, an id for the image without a name, as `docker save` has it. */
export function imagesToSave(catalog: Catalog, names: readonly string[], find: (name: string) => Found): Saved[] {
  const saved = new Map<Digest, { image: ImageRecord; tags: Map<string, Reference> }>();
  for (const name of names) {
    const tags = tagsOfRepository(catalog, name);
    const founds = tags.length > 0 ? tags.map((tag) => find(familiar(tag))) : [find(name)];
    for (const { image, reference } of founds) {
      const entry = saved.get(image.id) ?? { image, tags: new Map<string, Reference>() };
      if (reference?.tag !== undefined) entry.tags.set(familiar(reference), { ...reference });
      saved.set(image.id, entry);
    }
  }
  return [...saved.values()].map(({ image, tags }) => ({ image, tags: [...tags.values()] }));
}

/**
 * One tar that is an OCI layout (index.json) and a docker-archive (manifest.json, repositories) at once, as Docker 25 and
 * later write it. Layers keep their stored form. The same images give the same bytes. Everything needed is protected
 * until the last byte is read.
 */
export async function* saveImages(
  parts: SaveParts,
  images: readonly Saved[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  await using lease = parts.leases.open("discard");
  const written: WrittenImage[] = [];
  for (const { image, tags } of images) {
    lease.protect(image.manifest);
    const document = parseDocument(await parts.content.read(image.manifest), mediaType.ociManifest);
    if (document.kind !== "manifest") throw new Error(`${image.manifest} is no manifest`);
    for (const { digest } of [document.manifest.config, ...document.manifest.layers]) {
      lease.protect(digest);
      parts.content.pathOf(digest); // before the first byte, as nobody could be told of it later
    }
    written.push({ image, tags, ...(await ociForm(parts.content, image.manifest, document.manifest)) });
  }
  yield* writeTar(entriesOf(parts.content, written, signal));
  for (const { image } of images) parts.events.emit(imageEvent(image, image.id, image.id, "save"));
}

interface WrittenImage extends Saved {
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  readonly manifestBytes: Uint8Array;
}

/** OCI tools pass over manifests of Docker's type in an OCI layout: such a one is rewritten in OCI's words, its blobs stay. */
async function ociForm(
  content: ContentStore,
  digest: Digest,
  manifest: Manifest,
): Promise<Pick<WrittenImage, "manifest" | "manifestDigest" | "manifestBytes">> {
  if (manifest.mediaType !== mediaType.dockerManifest) {
    return { manifest, manifestDigest: digest, manifestBytes: await content.read(digest) };
  }
  const converted: Manifest = {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: inOciWords(manifest.config),
    layers: manifest.layers.map(inOciWords),
  };
  const manifestBytes = Buffer.from(JSON.stringify(converted));
  return { manifest: converted, manifestDigest: digestOf(manifestBytes), manifestBytes };
}

type Entry = { readonly header: TarHeader; readonly data?: AsyncIterable<Uint8Array> | Uint8Array };

async function* entriesOf(
  content: ContentStore,
  images: readonly WrittenImage[],
  signal: AbortSignal,
): AsyncGenerator<Entry, void, void> {
  yield { header: tarHeader({ type: "directory", path: "blobs/" }) };
  yield { header: tarHeader({ type: "directory", path: "blobs/sha256/" }) };
  const manifests = new Map(images.map((image) => [image.manifestDigest, image.manifestBytes]));
  const stored = images.flatMap(({ manifest }) => [
    manifest.config.digest,
    ...manifest.layers.map((layer) => layer.digest),
  ]);
  for (const digest of [...new Set([...stored, ...manifests.keys()])].sort()) {
    signal.throwIfAborted();
    const bytes = manifests.get(digest);
    const sizeBytes = bytes?.length ?? content.sizeBytesOf(digest) ?? 0;
    yield {
      header: tarHeader({ type: "file", path: blobPath(digest), sizeBytes }),
      data: bytes ?? content.stream(digest),
    };
  }
  yield document("index.json", indexOf(images));
  yield document("manifest.json", dockerManifestOf(images));
  yield document("oci-layout", { imageLayoutVersion: "1.0.0" });
  const repositories = repositoriesOf(images);
  if (Object.keys(repositories).length > 0) yield document("repositories", repositories);
}

function document(path: string, value: unknown): Entry {
  const data = Buffer.from(JSON.stringify(value));
  return { header: tarHeader({ type: "file", path: nameBytes(path), sizeBytes: data.length }), data };
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function indexOf(images: readonly WrittenImage[]): unknown {
  const manifests = images.flatMap(({ image, tags, manifest, manifestDigest, manifestBytes }) => {
    const descriptor: Descriptor = {
      mediaType: manifest.mediaType ?? mediaType.ociManifest,
      digest: manifestDigest,
      size: manifestBytes.length,
      platform: platformOf(image),
    };
    if (tags.length === 0) return [descriptor];
    return tags.map((tag) => ({
      ...descriptor,
      annotations: {
        "io.containerd.image.name": canonical(tag),
        "org.opencontainers.image.ref.name": tag.tag ?? "latest",
      },
    }));
  });
  return { schemaVersion: 2, mediaType: mediaType.ociIndex, manifests };
}

function platformOf({ config }: ImageRecord): Platform {
  return {
    architecture: config.architecture,
    os: config.os,
    ...(config.variant !== undefined && config.variant !== "" && { variant: config.variant }),
  };
}

function dockerManifestOf(images: readonly WrittenImage[]): unknown {
  return images.map(({ image, tags, manifest }) => ({
    Config: blobPath(image.id),
    RepoTags: tags.length === 0 ? null : tags.map(familiar),
    Layers: manifest.layers.map((layer) => blobPath(layer.digest)),
  }));
}

/** What Docker before 1.10 looked at: repository → tag → top layer. */
function repositoriesOf(images: readonly WrittenImage[]): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { tags, manifest } of images) {
    const top = manifest.layers.at(-1);
    if (top === undefined) continue;
    for (const tag of tags) (repositories[familiarName(tag)] ??= {})[tag.tag ?? "latest"] = hexOf(top.digest);
  }
  return repositories;
}

function tagsOfRepository(catalog: Catalog, name: string): Reference[] {
  if (idPrefixOf(name) !== undefined && catalog.imagesWithPrefix(idPrefixOf(name) ?? "").length > 0) return [];
  try {
    const reference = parseReference(name);
    if (reference.tag !== undefined || reference.digest !== undefined) return [];
    const { domain, path } = reference;
    return catalog.tagsIn(repositoryOf(reference)).map((tag) => ({ domain, path, tag }));
  } catch (error) {
    if (isFault(error, "invalid")) return [];
    throw error;
  }
}
