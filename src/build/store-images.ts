import { rfc3339Nano } from "#core/clock";
import type { Digest } from "#core/digest";
import { Fault, isFault } from "#core/fault";
import { familiar } from "#core/reference";
import { chainIdsOf, type Lease, type StackLayer } from "#images";
import type { BuildRequest, BuildResult, Output } from "./build.ts";
import { describeBuild, type DescribedBuild } from "./describe-build.ts";
import { stepsTo, toldSteps } from "./cache/cache-steps.ts";
import { inlineCacheField } from "./cache/inline-cache.ts";
import type { Graph } from "./graph/graph.ts";
import { imageConfig } from "./image-config.ts";
import type { InternalSteps } from "./internal-steps.ts";
import type { BuiltImage } from "./outputs/built.ts";
import { imageArchive } from "./outputs/image-archive.ts";
import { imageIndex } from "./outputs/image-index.ts";
import { buildMetadata } from "./outputs/metadata.ts";
import { rootTar } from "./outputs/root-tar.ts";
import { squash } from "./outputs/squash.ts";
import { pushDocument } from "./push-document.ts";
import type { ReadDockerfile } from "./read-dockerfile.ts";
import type { ResolvedImages } from "./resolve-images.ts";
import type { Room } from "./room.ts";
import type { Solved } from "./solve-graphs.ts";

/** What was solved, and what it is to become. */
export interface Storing {
  readonly buildId: string;
  readonly request: BuildRequest;
  readonly lease: Lease;
  readonly solved: readonly Solved[];
  readonly images: ResolvedImages;
  readonly read: ReadDockerfile;
  readonly startedNs: bigint;
  readonly internal: InternalSteps;
  /** SOURCE_DATE_EPOCH. */
  readonly epochNs?: bigint;
}

/** A graph's image before it is stored. */
interface Made {
  readonly graph: Graph;
  readonly layers: readonly StackLayer[];
  readonly built: Omit<BuiltImage, "id" | "manifest">;
  readonly config: ReturnType<typeof imageConfig>;
}

/** Makes of what was solved what was asked for: images in the store, archives, files. */
export async function storeImages(room: Room, storing: Storing, signal: AbortSignal): Promise<BuildResult> {
  const { buildId, request } = storing;
  const { outputs } = request;
  if (outputs.some(isPush) && request.tags.length === 0)
    throw new Fault("invalid", "tag is needed when pushing to registry", { remedy: "Name the image with -t." });
  const made = await Promise.all(storing.solved.map(async (each) => await make(room, storing, each, signal)));
  const described = await describeBuild(
    room,
    storing,
    made.map(({ built }) => built),
    signal,
  );
  const isStored = outputs.some(({ type }) => type === "image");
  const images = outputs.every(({ type }) => type === "tar" || type === "local")
    ? []
    : await assemble(room, storing, made, isStored);
  try {
    const exported = indexed(storing, images, described);
    for (const output of outputs) {
      signal.throwIfAborted();
      await deliver(
        room,
        storing,
        { output, made, images, described, ...(exported !== undefined && { exported }) },
        signal,
      );
    }
    const [first] = images;
    const tags = isStored ? request.tags.map((tag) => familiar(tag)) : [];
    const descriptor = exported?.index.descriptor ?? first?.manifest;
    const metadata = buildMetadata({
      buildId,
      tags: request.tags,
      provenance: described.map(({ platform, provenance }) => ({ platform, predicate: provenance.predicate })),
      ...(descriptor !== undefined && { exported: descriptor }),
      ...(images.length === 1 && first !== undefined && { configDigest: first.id }),
    });
    return {
      buildId,
      tags,
      metadata,
      ...(isStored && first !== undefined && { imageId: first.id }),
      ...(descriptor !== undefined && { digest: descriptor.digest }),
    };
  } finally {
    // What only an archive needed is no image that somebody asked for.
    if (!isStored) for (const { id, wasThere } of images) if (!wasThere) await removeQuietly(room, id);
  }
}

async function make(
  room: Room,
  { request, lease, images, epochNs }: Storing,
  { graph, solve }: Solved,
  signal: AbortSignal,
): Promise<Made> {
  const { base, files, history } = graph.result;
  const baseConfig = base.kind === "scratch" ? undefined : images.configOf(base.id);
  const baseLayers = base.kind === "scratch" ? [] : await room.images.layers.ofImage(base.id);
  const all = (await solve.files(files)).layers;
  const layers = request.squash ? await squashed(room, baseLayers, all, lease, signal) : all;
  const config = imageConfig(graph, baseConfig, {
    layerNs: (index) => {
      const node = history[index]?.node;
      return node === undefined ? undefined : solve.layerNs(node);
    },
    nowNs: room.clock.now(),
    isSquashed: request.squash && layers.length > baseLayers.length,
    ...(epochNs !== undefined && { epochNs }),
  });
  const isInline = request.cacheTo.some(({ type }) => type === "inline");
  return {
    graph,
    layers,
    built: { platform: graph.platform, stack: chainIdsOf(layers.map(({ diffId }) => diffId)).at(-1) },
    config: isInline ? { ...config, [inlineCacheField]: toldSteps(stepsTo(solve, files), layers) } : config,
  };
}

/** The base's layers, and one for all that came on top. */
async function squashed(
  { images, host }: Room,
  base: readonly StackLayer[],
  all: readonly StackLayer[],
  lease: Lease,
  signal: AbortSignal,
): Promise<readonly StackLayer[]> {
  const above = all.slice(base.length);
  if (above.length < 2) return all;
  const below = chainIdsOf(base.map(({ diffId }) => diffId)).at(-1);
  const joined = await squash({ layers: images.layers, shim: host.shim }, below, above, lease, signal);
  return joined === undefined ? base : [...base, joined.layer];
}

type Stored = BuiltImage & {
  /** It was an image before this build. */
  readonly wasThere: boolean;
};

async function assemble(
  { images }: Room,
  { request, lease }: Storing,
  made: readonly Made[],
  isStored: boolean,
): Promise<Stored[]> {
  const known = new Set(images.list({ all: true, filters: {} }).map(({ id }) => id));
  const stored: Stored[] = [];
  // Tags go to the first platform's image in the end: the store knows one image by a name.
  for (const { config, layers, built } of made.toReversed()) {
    const tags = isStored ? request.tags : [];
    const { id, manifest } = await images.layers.assemble({ config, layers, tags, ...annotationsOf(request) }, lease);
    stored.unshift({ ...built, id, manifest, wasThere: known.has(id) });
  }
  return stored;
}

/** None: the document says nothing of them. */
function annotationsOf({ annotations = {} }: BuildRequest): Pick<BuildRequest, "annotations"> {
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}

type Exported = ReturnType<typeof imageIndex>;

/** The index of several platforms, or of an image and what is said of it; undefined where one manifest is all. */
function indexed(
  { request }: Storing,
  images: readonly BuiltImage[],
  described: readonly DescribedBuild[],
): Exported | undefined {
  const attestations = described.map(({ attestations }) => attestations);
  if (images.length === 0 || (images.length === 1 && attestations.every((each) => each.length === 0))) return undefined;
  const each = images.map((image, index) => ({ image, attestations: attestations[index] ?? [] }));
  return imageIndex(each, { tags: request.tags, ...annotationsOf(request) });
}

interface Delivery {
  readonly output: Output;
  readonly made: readonly Made[];
  readonly images: readonly BuiltImage[];
  readonly described: readonly DescribedBuild[];
  readonly exported?: Exported;
}

async function deliver(
  room: Room,
  storing: Storing,
  { output, made, images, described, exported }: Delivery,
  signal: AbortSignal,
): Promise<void> {
  const { images: store, host, mountPoint } = room;
  const { request, lease, epochNs } = storing;
  switch (output.type) {
    case "image":
      for (const { bytes, descriptor } of exported?.documents ?? [])
        await store.layers.putDocument(bytes, descriptor.mediaType, lease);
      if (output.push) await pushAll(room, storing, exported?.index.descriptor.digest, signal);
      return;
    case "oci":
    case "docker": {
      const order = {
        form: output.type,
        images,
        tags: request.tags,
        ...(exported !== undefined && { index: exported }),
        ...(epochNs !== undefined && { created: rfc3339Nano(epochNs) }),
      };
      await output.write(imageArchive(store.layers, order, signal));
      return;
    }
    case "tar":
    case "local": {
      const roots = made.map(({ built }, index) => ({
        image: built,
        attestations: described[index]?.attestations ?? [],
      }));
      await output.write(rootTar({ layers: store.layers, shim: host.shim, mountPoint }, roots, epochNs, signal));
    }
  }
}

function isPush(output: Output): boolean {
  return output.type === "image" && output.push;
}

/** Under all tags. An image alone goes as `push` would send it, its plain layers packed; an index goes as it is. */
async function pushAll(
  { images }: Room,
  { request: { tags, credentials }, internal }: Storing,
  document: Digest | undefined,
  signal: AbortSignal,
): Promise<void> {
  for (const reference of tags) {
    const wanted = { reference, ...(document !== undefined && { document }) };
    await pushDocument({ images, internal, credentials }, wanted, "pushing", signal);
  }
}

async function removeQuietly({ images }: Room, id: Stored["id"]): Promise<void> {
  try {
    await images.remove(id, { force: false, prune: false });
  } catch (error) {
    // Somebody has named it, or runs it: it is theirs now.
    if (!isFault(error, "conflict") && !isFault(error, "notFound")) throw error;
  }
}
