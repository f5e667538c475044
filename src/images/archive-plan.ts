import { ByteReader } from "#core/byte-reader";
import { type Digest, isDigest } from "#core/digest";
import { Fault, isFault } from "#core/fault";
import { type Descriptor, type Manifest, mediaType, type Platform } from "#core/oci";
import { parseReference, type Reference, withDefaultTag } from "#core/reference";
import type { Shim } from "#host";
import type { ContentStore } from "./content.ts";
import { type Compression, decompress, detectCompression } from "./decompress.ts";
import type { Lease } from "./leases.ts";
import { type ImageDocument, isAttestation, parseConfig, parseDocument } from "./registry/document.ts";
import { platformText, rankOf, runnableOn } from "./registry/platform.ts";
import type { StagedArchive, StagedFile } from "./staged-archive.ts";

/** An image that an archive holds. */
export interface PlannedImage {
  readonly manifestDigest: Digest;
  readonly manifest: Manifest;
  readonly diffIds: readonly Digest[];
  readonly tags: readonly Reference[];
  readonly repoDigests: readonly { readonly repository: Reference; readonly digest: Digest }[];
  readonly alsoKeep: readonly Digest[];
}

/** What planning reads from. */
export interface PlanParts {
  readonly staged: StagedArchive;
  readonly content: ContentStore;
  readonly lease: Lease;
  readonly platform: Platform;
  readonly shim: Shim;
  readonly signal: AbortSignal;
}

/** The images of an archive: those of its OCI index, and those that only its docker manifest names. Fault `invalid` when it has neither. */
export async function planImages(parts: PlanParts): Promise<PlannedImage[]> {
  const index = parts.staged.find("index.json");
  const docker = parts.staged.find("manifest.json");
  if (index === undefined && docker === undefined) {
    throw new Fault("invalid", "invalid archive: it has neither manifest.json nor index.json", {
      remedy: "`load` takes what `docker save` and OCI tools write; for the tar of a root filesystem use `import`.",
    });
  }
  const images = index === undefined ? [] : await planIndex(parts, index.digest);
  if (docker === undefined) return images;
  const entries = dockerEntries(await parts.content.read(docker.digest));
  for (const entry of entries) {
    const config = fileAt(parts.staged, entry.config);
    const at = images.findIndex((image) => image.manifest.config.digest === config.digest);
    const known = images[at];
    if (known === undefined) images.push(await planDocker(parts, entry));
    else images[at] = { ...known, tags: uniqueTags([...known.tags, ...entry.tags]) };
  }
  return images;
}

interface DockerEntry {
  readonly config: string;
  readonly layers: readonly string[];
  readonly tags: readonly Reference[];
}

/** manifest.json of a docker-archive: `[{Config, RepoTags, Layers}]`. */
function dockerEntries(bytes: Uint8Array): DockerEntry[] {
  const list = parseList(bytes);
  if (list === undefined || list.length > 1000) throw new Fault("invalid", "invalid archive: manifest.json is no list");
  return list.map((entry: unknown) => {
    const fields = fieldsOf(entry);
    const config = fields["Config"];
    if (typeof config !== "string")
      throw new Fault("invalid", "invalid archive: manifest.json has an entry without Config");
    return {
      config,
      layers: texts(fields["Layers"], 500),
      tags: uniqueTags(texts(fields["RepoTags"], 1000).map(tagOf)),
    };
  });
}

async function planDocker(parts: PlanParts, entry: DockerEntry): Promise<PlannedImage> {
  const { staged, content, lease } = parts;
  const config = fileAt(staged, entry.config);
  const files = entry.layers.map((path) => fileAt(staged, path));
  const layers: Descriptor[] = [];
  for (const file of files) layers.push(await layerDescriptor(parts, file));
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: { mediaType: mediaType.ociConfig, digest: config.digest, size: config.sizeBytes },
    layers,
  };
  const diffIds = parseConfig(await content.read(config.digest), manifest).rootfs.diff_ids;
  const { digest } = await content.put(Buffer.from(JSON.stringify(manifest)), (digest) => lease.protect(digest));
  return { manifestDigest: digest, manifest, diffIds, tags: entry.tags, repoDigests: [], alsoKeep: [] };
}

/** A layer keeps its form, except for those that no registry takes. */
async function layerDescriptor({ content, lease, shim, signal }: PlanParts, file: StagedFile): Promise<Descriptor> {
  const { digest, sizeBytes } = file;
  const compression = await detectCompression(new ByteReader(content.stream(digest, { toByte: 16 })));
  const type = layerType[compression];
  if (type !== undefined) return { mediaType: type, digest, size: sizeBytes };
  const plain = await content.put(decompress(content.stream(digest), shim, signal), (digest) => lease.protect(digest));
  return { mediaType: mediaType.ociLayer, digest: plain.digest, size: plain.sizeBytes };
}

const layerType: Readonly<Record<Compression, string | undefined>> = {
  none: mediaType.ociLayer,
  gzip: mediaType.ociLayerGzip,
  zstd: mediaType.ociLayerZstd,
  bzip2: undefined,
  xz: undefined,
};

const nestedIndexes = 8;

/** The images of an OCI layout's index.json, one for each descriptor in it; several names of one image are joined. */
async function planIndex(parts: PlanParts, digest: Digest): Promise<PlannedImage[]> {
  const document = parseDocument(await parts.content.read(digest), mediaType.ociIndex);
  if (document.kind !== "index") throw new Fault("invalid", "invalid archive: index.json is no index");
  const images = new Map<Digest, PlannedImage>();
  for (const descriptor of document.index.manifests) {
    if (isAttestation(descriptor)) continue;
    const found = await resolveImage(parts, descriptor);
    const name = nameOfDescriptor(descriptor);
    const before = images.get(found.manifestDigest) ?? found;
    images.set(found.manifestDigest, {
      ...before,
      tags: uniqueTags([...before.tags, ...(name?.tag === undefined ? [] : [name])]),
      repoDigests: [
        ...before.repoDigests,
        ...(name === undefined ? [] : [{ repository: name, digest: descriptor.digest }]),
      ],
      alsoKeep: [...new Set([...before.alsoKeep, ...found.alsoKeep])],
    });
  }
  return [...images.values()];
}

/** Goes from a descriptor through indexes, choosing by platform, to an image manifest. A cycle cannot be, as a document cannot hold its own digest; a long chain can. */
async function resolveImage(parts: PlanParts, from: Descriptor): Promise<PlannedImage> {
  const through: Digest[] = [];
  for (let at = from; through.length <= nestedIndexes;) {
    const document = await documentOf(parts, at);
    if (document.kind === "manifest") return await planManifest(parts, at.digest, document.manifest, through);
    through.push(at.digest);
    const present = document.index.manifests.filter(
      (entry) => !isAttestation(entry) && parts.content.has(entry.digest),
    );
    at = pick(present, parts.platform);
  }
  throw new Fault("invalid", "invalid archive: indexes are nested too deeply");
}

async function documentOf({ content, lease }: PlanParts, { digest, mediaType }: Descriptor): Promise<ImageDocument> {
  lease.protect(digest);
  if (!content.has(digest)) throw new Fault("invalid", `invalid archive: the blob ${digest} is missing`);
  return parseDocument(await content.read(digest), mediaType);
}

/** The entry that runs best on the platform; an archive of a single image is loaded whatever that is for, as Docker does. */
function pick(entries: readonly Descriptor[], platform: Platform): Descriptor {
  const runnable = runnableOn(platform);
  const ranked = entries
    .map((entry) => ({
      entry,
      rank: entry.platform === undefined ? runnable.length : rankOf(entry.platform, runnable),
    }))
    .filter(({ rank }) => rank !== undefined)
    .sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0));
  const best = ranked[0]?.entry ?? (entries.length === 1 ? entries[0] : undefined);
  if (best !== undefined) return best;
  throw new Fault("notFound", `no matching manifest for ${platformText(platform)} in the manifest list entries`);
}

async function planManifest(
  { content, lease }: PlanParts,
  digest: Digest,
  manifest: Manifest,
  through: readonly Digest[],
): Promise<PlannedImage> {
  for (const blob of [manifest.config, ...manifest.layers]) {
    lease.protect(blob.digest);
    if (content.sizeBytesOf(blob.digest) === blob.size) continue;
    throw new Fault("invalid", `invalid archive: the blob ${blob.digest} is missing or of another size`);
  }
  const diffIds = parseConfig(await content.read(manifest.config.digest), manifest).rootfs.diff_ids;
  return { manifestDigest: digest, manifest, diffIds, tags: [], repoDigests: [], alsoKeep: through };
}

/** The name that an index gives an image: a full one by containerd's annotation, or OCI's where that is a full one and no bare tag. */
function nameOfDescriptor(descriptor: Descriptor): Reference | undefined {
  const full = descriptor.annotations?.["io.containerd.image.name"];
  const short = descriptor.annotations?.["org.opencontainers.image.ref.name"];
  const text = full ?? (short !== undefined && /[:/]/.test(short) ? short : undefined);
  if (text === undefined || typeof text !== "string") return undefined;
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    if (isFault(error, "invalid")) return undefined;
    throw error;
  }
}

function tagOf(text: string): Reference {
  const reference = parseReference(text);
  if (reference.tag === undefined || reference.digest !== undefined)
    throw new Fault("invalid", `invalid tag ${JSON.stringify(text.slice(0, 200))}`);
  return reference;
}

function uniqueTags(tags: readonly Reference[]): Reference[] {
  return [...new Map(tags.map((tag) => [`${tag.domain}/${tag.path}:${tag.tag ?? ""}`, tag])).values()];
}

function parseList(bytes: Uint8Array): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function texts(value: unknown, limit: number): string[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value) || value.length > limit || !value.every((item) => typeof item === "string")) {
    throw new Fault("invalid", "invalid archive: manifest.json is malformed");
  }
  return value;
}

/** The file that a docker manifest names: by path, or (as Docker 25 and later write it) the digest in `blobs/`. */
function fileAt(staged: StagedArchive, path: string): { readonly digest: Digest; readonly sizeBytes: number } {
  const file = staged.find(path);
  if (file === undefined)
    throw new Fault("invalid", `invalid archive: ${JSON.stringify(path.slice(0, 200))} is missing`);
  const named = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
  if (named !== undefined && isDigest(`sha256:${named}`) && file.digest !== `sha256:${named}`) {
    throw new Fault("invalid", `invalid archive: ${path} has other bytes than its name says`);
  }
  return file;
}
