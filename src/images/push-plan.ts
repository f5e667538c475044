import { type Digest, hexOf } from "#core/digest";
import { Fault, isFault } from "#core/fault";
import { type Descriptor, mediaType } from "#core/oci";
import type { ContentStore } from "./content.ts";
import type { Lease } from "./leases.ts";
import { namedBy, parseConfig } from "./registry/document.ts";

/** A manifest or index that goes to a registry. */
export interface DocumentToPush {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
  /** What it names: config, layers, further manifests. */
  readonly names: readonly Digest[];
}

/** A blob that goes there. */
export interface BlobToPush {
  readonly descriptor: Descriptor;
  /** As the lines of progress show it; undefined for a config, of which they say nothing. */
  readonly id: string | undefined;
  /** A plain layer that is packed on its way. */
  readonly pack: boolean;
}

/** What a push puts into a registry. */
export interface PushPlan {
  /** Each once; layers topmost first, as Docker tells of them. */
  readonly blobs: readonly BlobToPush[];
  /** Each after those that it names: the last one is what was asked for. */
  readonly documents: readonly DocumentToPush[];
  /** Whether layers are packed, so that the manifest becomes another one. */
  readonly packs: boolean;
}

/** What is to be pushed. */
export interface PushChoice {
  readonly document: Digest;
  /** Whether it was made here, and its plain layers may be packed. */
  readonly mayPack: boolean;
}

/** Reads what a manifest or index leads to, all of it, and protects it. Fault `notFound` when a part is not in the store. */
export async function planPush(content: ContentStore, choice: PushChoice, lease: Lease): Promise<PushPlan> {
  const walk: Walk = { content, lease, mayPack: choice.mayPack, blobs: new Map(), documents: new Map() };
  await visit(walk, { mediaType: "", digest: choice.document, size: 0 });
  const blobs = [...walk.blobs.values()];
  for (const { descriptor } of blobs) {
    lease.protect(descriptor.digest);
    if (!content.has(descriptor.digest)) throw missing(descriptor.digest);
  }
  return { blobs, documents: [...walk.documents.values()], packs: blobs.some(({ pack }) => pack) };
}

/** Whether the store has a document and all that it leads to. */
export async function isWhole(content: ContentStore, document: Digest): Promise<boolean> {
  const nobody: Lease = { protect() {}, protectLayer() {}, async [Symbol.asyncDispose]() {} };
  try {
    await planPush(content, { document, mayPack: false }, nobody);
    return true;
  } catch (error) {
    if (error instanceof Fault && (error.kind === "notFound" || error.kind === "invalid")) return false;
    throw error;
  }
}

/** The media type of a plain layer that is packed by gzip. */
export const packedType: Readonly<Record<string, string>> = {
  [mediaType.ociLayer]: mediaType.ociLayerGzip,
  [mediaType.dockerLayer]: mediaType.dockerLayerGzip,
};

const maxConfigBytes = 4 * 1024 * 1024;
/** A limit to manifests within indexes within indexes; nobody means it well. */
const maxDocuments = 1000;

interface Walk {
  readonly content: ContentStore;
  readonly lease: Lease;
  readonly mayPack: boolean;
  readonly blobs: Map<Digest, BlobToPush>;
  readonly documents: Map<Digest, DocumentToPush>;
}

async function visit(walk: Walk, { digest, mediaType: given }: Descriptor, depth = 0): Promise<void> {
  if (walk.documents.has(digest)) return;
  if (depth > 16 || walk.documents.size >= maxDocuments) {
    throw new Fault("invalid", "the image's indexes are nested without end");
  }
  walk.lease.protect(digest);
  if (!walk.content.has(digest)) throw missing(digest);
  const bytes = await walk.content.read(digest);
  const { config, layers, manifests, mediaType: own } = namedBy(bytes);
  for (const manifest of manifests) await visit(walk, manifest, depth + 1);
  const shown = (await diffIdsOf(walk.content, config, layers)) ?? layers.map((layer) => layer.digest);
  for (const [index, descriptor] of [...layers.entries()].toReversed()) {
    const pack = walk.mayPack && packedType[descriptor.mediaType] !== undefined;
    noteBlob(walk, { descriptor, id: hexOf(shown[index] ?? descriptor.digest).slice(0, 12), pack });
  }
  if (config !== undefined) noteBlob(walk, { descriptor: config, id: undefined, pack: false });
  const named = [...manifests, ...layers, ...(config === undefined ? [] : [config])];
  const names = named.map((descriptor) => descriptor.digest);
  const type = own ?? (given || (manifests.length > 0 ? mediaType.ociIndex : mediaType.ociManifest));
  walk.documents.set(digest, { bytes, mediaType: type, digest, names });
}

/** Docker shows layers by their DiffIDs; undefined for what is no image. */
async function diffIdsOf(
  content: ContentStore,
  config: Descriptor | undefined,
  layers: readonly Descriptor[],
): Promise<readonly Digest[] | undefined> {
  const sizeBytes = config === undefined ? undefined : content.sizeBytesOf(config.digest);
  if (config === undefined || sizeBytes === undefined || sizeBytes > maxConfigBytes) return undefined;
  try {
    return parseConfig(await content.read(config.digest), { schemaVersion: 2, config, layers }).rootfs.diff_ids;
  } catch (error) {
    if (isFault(error, "invalid")) return undefined;
    throw error;
  }
}

function noteBlob({ blobs }: Walk, blob: BlobToPush): void {
  if (!blobs.has(blob.descriptor.digest)) blobs.set(blob.descriptor.digest, blob);
}

function missing(digest: Digest): Fault {
  return new Fault("notFound", `content digest ${digest}: not found`, {
    remedy: "A part of the image is not here; pull it again, or look at `slipway system check`.",
  });
}
