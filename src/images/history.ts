import type { Catalog, ImageRecord } from "./catalog.ts";
import { chainIdsOf } from "./chain-id.ts";
import { viewOf } from "./image-view.ts";
import type { HistoryStep } from "./images.ts";

/** The steps that made an image, newest first; each that made a layer has that layer's size. */
export function historyOf(catalog: Catalog, image: ImageRecord): HistoryStep[] {
  const sizes = chainIdsOf(image.config.rootfs.diff_ids).map((chainId) => catalog.layer(chainId)?.sizeBytes ?? 0);
  let layer = 0;
  const steps = (image.config.history ?? []).map((entry): HistoryStep => ({
    id: "<missing>",
    createdSeconds: secondsOf(entry.created),
    createdBy: entry.created_by ?? "",
    tags: [],
    sizeBytes: entry.empty_layer === true ? 0 : (sizes[layer++] ?? 0),
    comment: entry.comment ?? "",
  }));
  const newest = steps.at(-1);
  if (newest === undefined) return [];
  steps[steps.length - 1] = { ...newest, id: image.id, tags: viewOf(catalog, image).repoTags };
  return steps.reverse();
}

/** Go's zero time where the config says none. */
function secondsOf(created: string | undefined): number {
  const milliseconds = Date.parse(created ?? "");
  return Number.isNaN(milliseconds) ? -62_135_596_800 : Math.floor(milliseconds / 1000);
}
