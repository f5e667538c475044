import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import type { EventSink } from "#core/event";
import { Fault } from "#core/fault";
import { filterImages } from "./filter-images.ts";
import { isHidden } from "./find.ts";
import { viewOf } from "./image-view.ts";
import type { Image, ImageFilters, Removal } from "./images.ts";
import { forget, removeFromRecords, type RemoveParts, sweep } from "./remove.ts";

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
  const ledger = removeFromRecords(parts, (ledger) => {
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

/** Removes those of the images that nobody holds and that were not used since they were chosen; the reason is told in the events. */
export async function collectImages(
  parts: RemoveParts,
  chosen: readonly { readonly id: Digest; readonly usedNs: bigint }[],
  reason: string,
): Promise<{ readonly removed: Removal[]; readonly reclaimedBytes: number }> {
  const { catalog, events, keeper } = parts;
  const ledger = removeFromRecords({ catalog, events: withReason(events, reason) }, (ledger) => {
    for (const { id, usedNs } of chosen) {
      const record = catalog.image(id);
      if (record === undefined || record.usedNs !== usedNs || catalog.holdersOf(id).length > 0) continue;
      forget(parts, record, ledger);
    }
  });
  await catalog.settled();
  const { layers, reclaimedBytes } = await keeper.collectLayers();
  for (const layer of layers) ledger.removals.push({ deleted: layer.chainId });
  const blobBytes = await keeper.collectBlobs(ledger.blobs);
  return { removed: ledger.removals, reclaimedBytes: reclaimedBytes + blobBytes };
}

function withReason(events: EventSink, reason: string): EventSink {
  return { emit: (event) => events.emit({ ...event, attributes: { ...event.attributes, reason } }) };
}
