import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import type { Descriptor, Platform } from "#core/oci";
import { canonical, type Reference } from "#core/reference";
import { type Catalog, type ImageRecord, repositoryOf } from "./catalog.ts";
import type { ContentStore } from "./content.ts";
import { isWhole, type PushChoice } from "./push-plan.ts";
import { isAttestation, isIndexType, namedBy } from "./registry/document.ts";
import { platformText, rankOf, runnableOn } from "./registry/platform.ts";

/** How the image is wanted. */
interface Wanted {
  readonly reference: Reference;
  readonly platform?: Platform;
}

/**
 * Which document of an image is pushed: the one that is asked for by its digest; else the index that the image was found
 * through, when all that it names is here; else the image's manifest. What a registry knows already keeps its bytes.
 */
export async function chooseDocument(
  catalog: Catalog,
  content: ContentStore,
  image: ImageRecord,
  { reference, platform }: Wanted,
): Promise<PushChoice> {
  if (reference.digest !== undefined) return { document: reference.digest, mayPack: false };
  const indexes = await indexesOf(catalog, content, image);
  const known = new Map<Digest, string[]>();
  for (const name of catalog.namesOf(image.id)) {
    if (name.kind === "digest") known.set(name.digest, [...(known.get(name.digest) ?? []), name.repository]);
  }
  const mayPack = !known.has(image.manifest) && !indexes.some(({ digest }) => known.has(digest));
  if (platform !== undefined) return await forPlatform(content, image, indexes, { reference, platform }, mayPack);
  const isHere = (digest: Digest): boolean => known.get(digest)?.includes(repositoryOf(reference)) ?? false;
  const inOrder = indexes.toSorted((a, b) => Number(isHere(b.digest)) - Number(isHere(a.digest)));
  for (const { digest } of inOrder) if (await isWhole(content, digest)) return { document: digest, mayPack: false };
  return { document: image.manifest, mayPack };
}

interface StoredIndex {
  readonly digest: Digest;
  readonly manifests: readonly Descriptor[];
}

/** The indexes that are kept with an image, those left out that another one names. */
async function indexesOf(catalog: Catalog, content: ContentStore, image: ImageRecord): Promise<StoredIndex[]> {
  const own = namedBy(await content.read(image.manifest));
  const blobs = new Set([image.manifest, image.id, ...own.layers.map(({ digest }) => digest)]);
  const found: StoredIndex[] = [];
  for (const digest of catalog.blobsOf(image.id)) {
    const isDocument = !blobs.has(digest) && (content.sizeBytesOf(digest) ?? Infinity) <= maxDocumentBytes;
    const manifests = isDocument ? manifestsIn(await content.read(digest)) : [];
    if (manifests.length > 0) found.push({ digest, manifests });
  }
  const inner = new Set(found.flatMap(({ manifests }) => manifests.map(({ digest }) => digest)));
  return found.filter(({ digest }) => !inner.has(digest));
}

const maxDocumentBytes = 4 * 1024 * 1024;

/** What an index names; nothing for what is none. */
function manifestsIn(bytes: Uint8Array): readonly Descriptor[] {
  try {
    return namedBy(bytes).manifests;
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
}

async function forPlatform(
  content: ContentStore,
  image: ImageRecord,
  indexes: readonly StoredIndex[],
  { reference, platform }: Required<Wanted>,
  mayPack: boolean,
): Promise<PushChoice> {
  const runnable = runnableOn(platform);
  if (rankOf(image.config, runnable) !== undefined) return { document: image.manifest, mayPack };
  for (const entry of indexes.flatMap(({ manifests }) => manifests)) {
    if (entry.platform === undefined || isAttestation(entry) || isIndexType(entry.mediaType)) continue;
    const fits = rankOf(entry.platform, runnable) !== undefined;
    if (fits && (await isWhole(content, entry.digest))) return { document: entry.digest, mayPack: false };
  }
  throw new Fault(
    "notFound",
    `image with reference ${canonical(reference)} was found but does not match the specified platform: wanted ${platformText(platform)}, actual: ${platformText(image.config)}`,
  );
}
