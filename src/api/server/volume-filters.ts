import { apiVersion, type ApiVersion, booleanFilter, type Filters } from "#api/wire";
import { Fault } from "#core/fault";
import { fitsLabels } from "#core/label";
import type { PruneRequest, Volume } from "#volumes";
import { fitsPatterns } from "./name-patterns.ts";

/** The filters of `GET /volumes`. */
export const volumeListFilters: readonly string[] = ["dangling", "driver", "label", "name"];

/** The filters of `POST /volumes/prune`. */
export const volumePruneFilters: readonly string[] = ["all", "label", "label!"];

/** The volumes that fit: OR in a key, AND across keys, labels AND. `isHeld` says whether a container has it. Fault `invalid`. */
export function selectVolumes(
  volumes: readonly Volume[],
  filters: Filters,
  isHeld: (volume: Volume) => boolean,
): Volume[] {
  const dangling = booleanFilter(filters, "dangling");
  const isNamed = fitsPatterns(filters, "name");
  return volumes.filter(
    (volume) =>
      (filters["driver"]?.includes(volume.driver) ?? true) &&
      isNamed(volume.name) &&
      fitsLabels(volume.labels, filters) &&
      (dangling === undefined || dangling !== isHeld(volume)),
  );
}

/** What `prune` may take. Before 1.42 that was every volume that nobody has; since then those without a name, unless `all` says otherwise. */
export function pruneRequest(filters: Filters, version: ApiVersion): PruneRequest {
  if (version < apiVersion("1.42") && filters["all"] !== undefined) {
    throw new Fault("invalid", "invalid filter 'all'");
  }
  return {
    all: booleanFilter(filters, "all") ?? version < apiVersion("1.42"),
    accepts: ({ labels }) => fitsLabels(labels, filters),
  };
}
