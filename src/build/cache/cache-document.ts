import { isDigest } from "#core/digest";
import { Fault } from "#core/fault";
import { type Descriptor, mediaType } from "#core/oci";
import type { StackLayer } from "#images";
import { documentOf, type StoredDocument } from "../outputs/documents.ts";
import type { SolvedStep } from "../solve/solve.ts";
import { type CacheStep, parseCacheSteps, toldSteps } from "./cache-steps.ts";

/** The media type of the config by which a manifest is known to be a build cache. */
export const cacheConfigType = "application/vnd.slipway.cache.config.v1+json";

/** What a cache has: which steps, and their layers. */
export interface CacheContents {
  readonly steps: readonly CacheStep[];
  readonly layers: readonly StackLayer[];
}

/** A cache as it is written: an OCI manifest, whose layers are the steps', and whose config tells which are whose. */
export interface CacheDocuments {
  readonly manifest: StoredDocument;
  readonly config: StoredDocument;
  readonly layers: readonly StackLayer[];
}

/** The documents for steps; the same steps are the same bytes, in whatever order they were solved. */
export function cacheDocuments(solved: readonly SolvedStep[]): CacheDocuments {
  const steps = [...new Map(solved.map((step) => [step.key, step])).values()].toSorted((a, b) =>
    a.key < b.key ? -1 : 1,
  );
  const byDiffId = new Map(steps.flatMap(({ layer }) => (layer === undefined ? [] : [[layer.diffId, layer] as const])));
  const layers = [...byDiffId.values()];
  const config = documentOf(
    { layers: layers.map(({ diffId }) => diffId), steps: toldSteps(steps, layers) },
    cacheConfigType,
  );
  const manifest = documentOf(
    {
      schemaVersion: 2,
      mediaType: mediaType.ociManifest,
      config: config.descriptor,
      layers: layers.map(({ blob }) => blob),
    },
    mediaType.ociManifest,
  );
  return { manifest, config, layers };
}

/** No cache's documents come near: bounds of what is kept in memory. */
export const mostDocumentBytes = 4 << 20;
const mostLayers = 10_000;
const mostSteps = 20_000;
/** Of one layer, as it is stored. */
const mostLayerBytes = 64 * 2 ** 30;

/** A cache's manifest. */
export interface CacheManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Reads a manifest; undefined when it is one of something else. Fault `invalid` for a cache's that is broken. */
export function parseCacheManifest(bytes: Uint8Array): CacheManifest | undefined {
  const document = objectOf(bytes);
  const config = document["config"];
  if (typeof config !== "object" || config === null || !("mediaType" in config)) return undefined;
  if (config.mediaType !== cacheConfigType) return undefined;
  const layers = document["layers"];
  if (document["schemaVersion"] !== 2 || !Array.isArray(layers) || layers.length > mostLayers) throw broken();
  const own = descriptorOf(config);
  if (own.size > mostDocumentBytes) throw broken();
  return { config: own, layers: (layers as readonly unknown[]).map(layerOf) };
}

/** Reads a config. Fault `invalid` when it does not fit its manifest; steps that are none are left out. */
export function parseCacheConfig(bytes: Uint8Array, { layers }: CacheManifest): CacheContents {
  const { layers: diffIds, steps } = objectOf(bytes);
  if (!Array.isArray(diffIds) || diffIds.length !== layers.length) throw broken();
  const stack = layers.map((blob, index): StackLayer => {
    const diffId: unknown = diffIds[index];
    if (typeof diffId !== "string" || !isDigest(diffId)) throw broken();
    return { diffId, blob };
  });
  return { layers: stack, steps: parseCacheSteps(steps, stack.length, mostSteps) };
}

function objectOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length > mostDocumentBytes) throw broken();
  try {
    const document: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    if (typeof document === "object" && document !== null) return document as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw broken(error);
  }
  throw broken();
}

const layerTypes: ReadonlySet<string> = new Set([mediaType.ociLayer, mediaType.ociLayerGzip, mediaType.ociLayerZstd]);

function layerOf(value: unknown): Descriptor {
  const descriptor = descriptorOf(value);
  if (!layerTypes.has(descriptor.mediaType) || descriptor.size > mostLayerBytes) throw broken();
  return descriptor;
}

/** Type, digest and size, and nothing else that it may say. */
function descriptorOf(value: unknown): Descriptor {
  if (typeof value !== "object" || value === null) throw broken();
  const { mediaType, digest, size } = value as Readonly<Record<string, unknown>>;
  if (typeof mediaType !== "string" || typeof digest !== "string" || !isDigest(digest)) throw broken();
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw broken();
  return { mediaType, digest, size };
}

function broken(cause?: unknown): Fault {
  return new Fault("invalid", "this is no whole build cache", { cause });
}
