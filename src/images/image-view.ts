import { familiar } from "#core/reference";
import { type Catalog, type ImageRecord, referenceOf } from "./catalog.ts";
import type { Image } from "./images.ts";

/** An image as the other rooms see it. */
export function viewOf(catalog: Catalog, record: ImageRecord): Image {
  const names = catalog.namesOf(record.id);
  const shown = (kind: "tag" | "digest"): string[] =>
    names
      .filter((name) => name.kind === kind)
      .map((name) => familiar(referenceOf(name)))
      .sort();
  return {
    id: record.id,
    config: record.config,
    repoTags: shown("tag"),
    repoDigests: shown("digest"),
    manifest: record.manifest,
    sizeBytes: record.sizeBytes,
    createdNs: record.createdNs,
    ...(record.lastTaggedNs !== undefined && { lastTaggedNs: record.lastTaggedNs }),
  };
}
