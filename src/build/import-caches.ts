import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import { nativePlatform } from "#core/oci";
import type { Lease } from "#images";
import type { BuildRequest } from "./build.ts";
import { importInline, type ImportedResult } from "./cache/inline-cache.ts";
import type { ResolvedImages } from "./resolve-images.ts";
import type { Room } from "./room.ts";

/**
 * What the images of `--cache-from` say of their steps. Who names an image trusts it for this build; an image that is only there
 * is never asked, as anybody can claim that a layer is the result of a step. An image that cannot be had is no failure.
 */
export async function importCaches(
  { images: store }: Pick<Room, "images">,
  request: BuildRequest,
  images: ResolvedImages,
  lease: Lease,
  signal: AbortSignal,
): Promise<ReadonlyMap<Digest, ImportedResult>> {
  const imported = new Map<Digest, ImportedResult>();
  for (const { type, options } of request.cacheFrom) {
    const { ref } = options;
    if (ref === undefined) throw new Fault("invalid", `a cache of type ${type} needs its image: ref=NAME`);
    const wanted = { reference: ref, platform: request.platforms[0] ?? nativePlatform() };
    try {
      await images.resolve([wanted], signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Fault) continue;
      throw error;
    }
    const image = images.known(wanted);
    if (image === undefined) continue;
    const layers = await store.layers.ofImage(image.id);
    for (const { blob } of layers) lease.protect(blob.digest);
    for (const [key, result] of importInline(image.config, layers)) imported.set(key, result);
  }
  return imported;
}
