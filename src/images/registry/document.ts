import { isDigest } from "#core/digest";
import { Fault } from "#core/fault";
import { type Descriptor, type ImageConfig, type Index, type Manifest, mediaType, type Platform } from "#core/oci";

/** What a reference leads to: one image, or a choice of images. */
export type ImageDocument =
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  | { readonly kind: "index"; readonly index: Index };

/**
 * Reads a manifest or index, checked. What it is, it says itself; the media type that it came with is used only when it
 * does not say. A document that could be read both ways is refused (CVE-2021-41190). Faults: `invalid`, `unsupported`.
 */
export function parseDocument(bytes: Uint8Array, givenType: string): ImageDocument {
  const document = objectIn(bytes, "manifest");
  if (document["schemaVersion"] === 1) throw oldSchema();
  const type = typeof document["mediaType"] === "string" ? document["mediaType"] : givenType;
  const [isIndex, isManifest] = ["manifests" in document, "layers" in document || "config" in document];
  if (isIndex && isManifest)
    throw new Fault("invalid", "the manifest is ambiguous: it is an image and an index at once");
  if (indexTypes.has(type) || (!manifestTypes.has(type) && isIndex)) {
    const manifests = descriptorsIn(document, "manifests");
    return { kind: "index", index: { schemaVersion: 2, mediaType: type, manifests } };
  }
  if (!manifestTypes.has(type) && !isManifest) {
    throw new Fault("unsupported", `unsupported manifest media type: ${plain(type)}`);
  }
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: type,
    config: descriptorIn(document["config"]),
    layers: descriptorsIn(document, "layers"),
  };
  refuseArtifact(manifest);
  return { kind: "manifest", manifest };
}

/** Reads an image's config document; Fault `invalid` unless it fits the manifest's layers. */
export function parseConfig(bytes: Uint8Array, manifest: Manifest): ImageConfig {
  const document = objectIn(bytes, "image config");
  const rootfs = document["rootfs"];
  const diffIds: unknown =
    typeof rootfs === "object" && rootfs !== null && "diff_ids" in rootfs ? (rootfs.diff_ids ?? []) : undefined;
  if (!Array.isArray(diffIds) || !diffIds.every((id) => typeof id === "string" && isDigest(id))) {
    throw new Fault("invalid", "the image config names no valid layer digests (rootfs.diff_ids)");
  }
  if (diffIds.length !== manifest.layers.length) {
    throw new Fault(
      "invalid",
      `mismatched layers: config has ${diffIds.length}, manifest has ${manifest.layers.length}`,
    );
  }
  const [os, architecture] = [document["os"], document["architecture"]];
  return {
    ...document,
    os: typeof os === "string" ? os : "linux",
    architecture: typeof architecture === "string" ? architecture : "",
    rootfs: { type: "layers", diff_ids: diffIds },
  };
}

/** What a manifest or index names, whatever it is of: images, attestations, caches. */
export interface NamedContent {
  readonly mediaType: string | undefined;
  /** The config, when there is one, and the layers. */
  readonly config: Descriptor | undefined;
  readonly layers: readonly Descriptor[];
  /** Further manifests and indexes. */
  readonly manifests: readonly Descriptor[];
}

/** Reads what a manifest or index of any kind names; Fault `invalid` when it is neither. */
export function namedBy(bytes: Uint8Array): NamedContent {
  const document = objectIn(bytes, "manifest");
  if (!("manifests" in document) && !("layers" in document) && !("config" in document))
    throw new Fault("invalid", "the document is neither a manifest nor an index");
  return {
    mediaType: typeof document["mediaType"] === "string" ? document["mediaType"] : undefined,
    config: document["config"] === undefined ? undefined : descriptorIn(document["config"]),
    layers: descriptorsIn(document, "layers"),
    manifests: descriptorsIn(document, "manifests"),
  };
}

/** Whether the index entry is not an image at all but speaks of one (build attestations, signatures). */
export function isAttestation(entry: Descriptor): boolean {
  if (entry.annotations?.["vnd.docker.reference.type"] !== undefined || entry.artifactType !== undefined) return true;
  return entry.platform?.os === "unknown" && entry.platform.architecture === "unknown";
}

/** Whether the descriptor leads to a further index. */
export function isIndexType(type: string): boolean {
  return indexTypes.has(type);
}

const indexTypes: ReadonlySet<string> = new Set([mediaType.ociIndex, mediaType.dockerIndex]);
const manifestTypes: ReadonlySet<string> = new Set([mediaType.ociManifest, mediaType.dockerManifest]);
const configTypes: ReadonlySet<string> = new Set([
  mediaType.ociConfig,
  mediaType.dockerConfig,
  "application/octet-stream",
]);
const layerTypes: ReadonlySet<string> = new Set([
  mediaType.ociLayer,
  mediaType.ociLayerGzip,
  mediaType.ociLayerZstd,
  mediaType.dockerLayer,
  mediaType.dockerLayerGzip,
  "application/vnd.docker.image.rootfs.diff.tar.zstd",
]);
/** No image comes near; a bound for what is kept in memory. */
const maxDescriptors = 10_000;

function refuseArtifact(manifest: Manifest): void {
  if (!configTypes.has(manifest.config.mediaType)) {
    throw new Fault("unsupported", `this is no container image but ${plain(manifest.config.mediaType)}`, {
      remedy: "The registry keeps something else under this name, such as a chart or a plugin.",
    });
  }
  for (const layer of manifest.layers) {
    if (/foreign|nondistributable/.test(layer.mediaType)) {
      throw new Fault("unsupported", `foreign layers are not supported: ${layer.digest}`, {
        remedy: "A layer of this image is not kept in the registry (Windows base images are made so).",
      });
    }
    if (layerTypes.has(layer.mediaType)) continue;
    throw new Fault("unsupported", `unsupported layer media type ${plain(layer.mediaType)}`, {
      remedy: "Layers may be plain, gzip or zstd tar files; encrypted or lazily loaded forms are not understood.",
    });
  }
}

function objectIn(bytes: Uint8Array, what: string): Record<string, unknown> {
  try {
    const document: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof document === "object" && document !== null && !Array.isArray(document)) {
      return document as Record<string, unknown>;
    }
  } catch (error) {
    throw new Fault("invalid", `the ${what} is no JSON`, { cause: error });
  }
  throw new Fault("invalid", `the ${what} is no JSON object`);
}

function descriptorsIn(document: Record<string, unknown>, key: string): Descriptor[] {
  const list: unknown = document[key] ?? [];
  if (!Array.isArray(list)) throw new Fault("invalid", `the manifest's ${key} are no list`);
  if (list.length > maxDescriptors) throw new Fault("tooLarge", `the manifest has more than ${maxDescriptors} ${key}`);
  return list.map(descriptorIn);
}

function descriptorIn(value: unknown): Descriptor {
  const fields = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const { digest, size, mediaType: type, artifactType } = fields;
  if (typeof digest !== "string" || !isDigest(digest)) {
    throw new Fault("invalid", `the manifest holds a descriptor without a usable sha256 digest`);
  }
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw new Fault("invalid", `the manifest gives no usable size for ${digest}`);
  }
  const platform = platformIn(fields["platform"]);
  return {
    mediaType: typeof type === "string" ? type : "",
    digest,
    size,
    annotations: annotationsIn(fields["annotations"]),
    ...(platform !== undefined && { platform }),
    ...(typeof artifactType === "string" && { artifactType }),
  };
}

function platformIn(value: unknown): Platform | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { os, architecture, variant } = value as Record<string, unknown>;
  if (typeof os !== "string" || typeof architecture !== "string") return undefined;
  return { os, architecture, ...(typeof variant === "string" && variant !== "" && { variant }) };
}

function annotationsIn(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) return {};
  const texts = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(texts);
}

function plain(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}

function oldSchema(): Fault {
  return new Fault("unsupported", "Docker image manifest version 2, schema 1 is not supported", {
    remedy: "The image was pushed by a very old tool; push it again with a newer one.",
  });
}
