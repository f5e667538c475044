import type { Clock } from "#core/clock";
import { Fault } from "#core/fault";
import { filterImages } from "./filter-images.ts";
import { isHidden } from "./find.ts";
import { viewOf } from "./image-view.ts";
import type { Image, ImageFilters, Removal } from "./images.ts";
import { forget, type Ledger, type RemoveParts, sweep } from "./remove.ts";

const pruneKeys = new Set(["label", "label!", "until", "dangling"]);

/** `docker image prune`: removes every image that no container holds and that has no tag (or, not `danglingOnly`, whatever its tags) and passes the filters. */
export async function pruneImages(
  parts: RemoveParts & { readonly clock: Clock; readonly find: (name: string) => Image },
  options: { readonly danglingOnly: boolean; readonly filters: ImageFilters },
): Promise<{ readonly removed: Removal[]; readonly reclaimedBytes: number }> {
  const { catalog, clock, events, find } = parts;
  const { dangling: _, ...filters } = options.filters;
  for (const key of Object.keys(options.filters)) {
    if (!pruneKeys.has(key)) throw new Fault("invalid", `invalid filter '${key}'`);
  }
  const ledger: Ledger = { removals: [], blobs: [] };
  catalog.transaction(() => {
    const records = catalog
      .images()
      .filter((record) => !isHidden(catalog, record) && catalog.holdersOf(record.id).length === 0);
    const views = records.map((record) => viewOf(catalog, record));
    const kept = options.danglingOnly ? views.filter((view) => view.repoTags.length === 0) : views;
    for (const view of filterImages(kept, filters, find, clock)) {
      const record = catalog.image(view.id);
      if (record !== undefined) forget(parts, record, ledger);
    }
  });
  const reclaimedBytes = await sweep(parts, ledger);
  events.emit({ type: "image", action: "prune", actorId: "", attributes: { reclaimed: String(reclaimedBytes) } });
  return { removed: ledger.removals, reclaimedBytes };
}
