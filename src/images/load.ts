import { nativePlatform, type Platform } from "#core/oci";
import { familiar } from "#core/reference";
import type { EventSink } from "#core/event";
import type { Shim } from "#host";
import type { AdoptImage } from "./adopt.ts";
import { type PlannedImage, planImages } from "./archive-plan.ts";
import type { ContentStore } from "./content.ts";
import { decompress } from "./decompress.ts";
import { imageEvent } from "./image-event.ts";
import type { Catalog } from "./catalog.ts";
import type { Lease, Leases } from "./leases.ts";
import type { Report } from "./progress-feed.ts";
import { StagedArchive } from "./staged-archive.ts";
import type { Unpacker } from "./unpack.ts";
import { unpackStack } from "./unpack-stack.ts";

/** What loading works with. */
export interface LoadParts {
  readonly catalog: Catalog;
  readonly content: ContentStore;
  readonly leases: Leases;
  readonly unpacker: Unpacker;
  readonly adopt: AdoptImage;
  readonly shim: Shim;
  readonly events: EventSink;
}

/** How to load. */
export interface LoadOptions {
  readonly platform?: Platform;
  /** The archive is a part of the program: its images are hidden until asked for, and no events tell of them. */
  readonly embedded?: boolean;
}

/** Loads every image of an archive, in the archive's order; answers them. What was loaded before a failure stays, of the rest nothing does. */
export async function loadArchive(
  parts: LoadParts,
  archive: AsyncIterable<Uint8Array>,
  options: LoadOptions,
  report: Report,
  signal: AbortSignal,
): Promise<PlannedImage[]> {
  const { content, leases, shim } = parts;
  await using lease = leases.open("discard");
  const staged = await StagedArchive.read(decompress(archive, shim, signal), content, lease, signal);
  const platform = options.platform ?? nativePlatform();
  const images = await planImages({ staged, content, lease, platform, shim, signal });
  for (const image of images) await loadImage(parts, image, options, lease, report, signal);
  return images;
}

async function loadImage(
  parts: LoadParts,
  image: PlannedImage,
  options: LoadOptions,
  lease: Lease,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  await unpackStack(parts.unpacker, { layers: image.manifest.layers, diffIds: image.diffIds }, lease, report, signal);
  if (options.embedded === true) {
    await parts.adopt({ manifest: image.manifestDigest, alsoKeep: image.alsoKeep, embedded: true }, lease);
    return;
  }
  const { manifestDigest, alsoKeep, tags, repoDigests } = image;
  const id = await parts.adopt({ manifest: manifestDigest, alsoKeep, tags, repoDigests }, lease);
  parts.events.emit(imageEvent(parts.catalog.image(id), id, id, "load"));
  for (const tag of tags) report({ stream: `Loaded image: ${familiar(tag)}\n` });
  if (tags.length === 0) report({ stream: `Loaded image ID: ${id}\n` });
}
