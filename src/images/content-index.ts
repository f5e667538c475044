import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Descriptor, mediaType } from "#core/oci";
import { familiar } from "#core/reference";
import { type Catalog, referenceOf } from "./catalog.ts";
import type { ContentStore } from "./content.ts";

/**
 * Keeps the content store's index.json, by which other tools find tagged images in it: `skopeo inspect
 * oci:/var/lib/slipway/content:nginx:latest`. It is for them alone, as we read the catalog: it may be a moment behind, is
 * made anew at start, and no failure to write it matters.
 */
export function keepContentIndex(catalog: Catalog, content: ContentStore, folder: string): void {
  const path = join(folder, "index.json");
  let isDue = false;
  const refresh = (): void => {
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      try {
        writeFileSync(`${path}.new`, JSON.stringify(indexOf(catalog, content)), { mode: 0o600 });
        renameSync(`${path}.new`, path);
      } catch {
        // The next change tries again.
      }
    });
  };
  catalog.watchNames(refresh);
  refresh();
}

function indexOf(catalog: Catalog, content: ContentStore): object {
  const manifests = catalog.images().flatMap(({ id, manifest }): Descriptor[] => {
    const size = content.sizeBytesOf(manifest);
    if (size === undefined) return [];
    const tags = catalog.namesOf(id).filter((name) => name.kind === "tag");
    return tags.map((tag) => ({
      mediaType: mediaType.ociManifest,
      digest: manifest,
      size,
      annotations: { "org.opencontainers.image.ref.name": familiar(referenceOf(tag)) },
    }));
  });
  return { schemaVersion: 2, mediaType: mediaType.ociIndex, manifests };
}
