import type { CacheFolderParts } from "./cache/cache-folder.ts";
import type { Room } from "./room.ts";

/** The name of a cache in its folder, unless `tag=` says another. */
export const defaultCacheName = "latest";

/** What folders of caches are read and written with. */
export function cacheParts({ host, files, images }: Room): CacheFolderParts {
  return { shim: host.shim, files, layers: images.layers };
}
