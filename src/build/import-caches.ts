import type { Digest } from "#core/digest";
import { Fault, isFault } from "#core/fault";
import { nativePlatform } from "#core/oci";
import { parseReference, withDefaultTag } from "#core/reference";
import type { BuildRequest, CacheLocation } from "./build.ts";
import { cacheParts, defaultCacheName } from "./cache-parts.ts";
import { mostDocumentBytes, parseCacheConfig, parseCacheManifest } from "./cache/cache-document.ts";
import { CacheFolder } from "./cache/cache-folder.ts";
import { type ImportedResult, offered } from "./cache/imported.ts";
import { readInlineCache } from "./cache/inline-cache.ts";
import type { EventQueue } from "./events.ts";
import type { ResolvedImages } from "./resolve-images.ts";
import type { Room } from "./room.ts";

/** Where caches are looked for, and what for. */
export interface Importing {
  readonly request: BuildRequest;
  readonly images: ResolvedImages;
  readonly events: Pick<EventQueue, "tell">;
  /** What the caches are read with stays until it is disposed of. */
  readonly held: AsyncDisposableStack;
}

/**
 * What the caches of `--cache-from` say of their steps. Who names a cache trusts it for this build; an image that is only there is never
 * asked, as anybody can claim that a layer is the result of a step. A cache that cannot be had is told of, and is no failure.
 */
export async function importCaches(
  room: Room,
  importing: Importing,
  signal: AbortSignal,
): Promise<ReadonlyMap<Digest, ImportedResult>> {
  const caches = await Promise.all(
    importing.request.cacheFrom.map(async (location) => {
      const tellLost = (fault: Fault): void => tellMissing(importing, location, fault);
      try {
        return await importCache(room, importing, location, tellLost, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof Fault)) throw error;
        tellLost(error);
        return [];
      }
    }),
  );
  return new Map(caches.flat());
}

type Offer = readonly (readonly [Digest, ImportedResult])[];

async function importCache(
  room: Room,
  importing: Importing,
  { type, options }: CacheLocation,
  tellLost: (fault: Fault) => void,
  signal: AbortSignal,
): Promise<Offer> {
  if (type === "local") return await importFolder(room, importing, options, tellLost, signal);
  const { ref } = options;
  if (ref === undefined) throw new Fault("invalid", `a cache of type ${type} needs its image: ref=NAME`);
  const isCache = type === "registry" && (importing.request.pull || !isHere(room, ref));
  const remote = isCache ? await importRemote(room, importing, ref, tellLost, signal) : undefined;
  return remote ?? (await importImage(room, importing, ref, tellLost, signal));
}

async function importFolder(
  room: Room,
  { held }: Importing,
  { src, srcid, tag = defaultCacheName }: CacheLocation["options"],
  tellLost: (fault: Fault) => void,
  signal: AbortSignal,
): Promise<Offer> {
  if (src === undefined) throw new Fault("invalid", "a cache of type local needs its folder: src=DIR");
  const folder = held.use(await CacheFolder.open(cacheParts(room), src, srcid));
  const contents = await folder.read(tag, signal);
  return offered(room.images.layers, contents, async (...blob) => await folder.bring(...blob), tellLost);
}

/** Undefined when the name is that of an image. */
async function importRemote(
  { images: store }: Room,
  { request }: Importing,
  ref: string,
  tellLost: (fault: Fault) => void,
  signal: AbortSignal,
): Promise<Offer | undefined> {
  const reference = withDefaultTag(parseReference(ref));
  const remote = store.remote(reference, request.credentials(reference.domain));
  const manifest = parseCacheManifest(await remote.document(signal));
  if (manifest === undefined) return undefined;
  await using lease = store.layers.lease();
  await remote.bring(manifest.config, lease, signal);
  const pieces: Uint8Array[] = [];
  for await (const piece of store.layers.readBlob(manifest.config.digest)) pieces.push(piece);
  const contents = parseCacheConfig(Buffer.concat(pieces).subarray(0, mostDocumentBytes), manifest);
  return offered(store.layers, contents, async (...blob) => await remote.bring(...blob), tellLost);
}

/** An image whose config tells of its steps (`type=inline`). */
async function importImage(
  { images: store }: Room,
  { request, images }: Importing,
  ref: string,
  tellLost: (fault: Fault) => void,
  signal: AbortSignal,
): Promise<Offer> {
  const wanted = { reference: ref, platform: request.platforms[0] ?? nativePlatform() };
  await images.resolve([wanted], signal);
  const image = images.known(wanted);
  if (image === undefined) return [];
  const contents = readInlineCache(image.config, await store.layers.ofImage(image.id));
  // Its blobs are here: it is an image.
  return offered(store.layers, contents, async ({ digest }, lease) => lease.protect(digest), tellLost);
}

function isHere({ images }: Room, ref: string): boolean {
  try {
    images.find(ref);
    return true;
  } catch (error) {
    if (error instanceof Fault && (isFault(error, "notFound") || isFault(error, "conflict"))) return false;
    throw error;
  }
}

function tellMissing({ events }: Importing, { type, options }: CacheLocation, fault: Fault): void {
  const place = (options["ref"] ?? options["src"] ?? "").slice(0, 300);
  events.tell({
    kind: "warning",
    warning: {
      rule: "CacheImport",
      description: "",
      url: "",
      message: `[Warning] the cache type=${type} ${place} is not used: ${fault.text}`,
    },
  });
}
