import { apiVersion, type ApiVersion, booleanFilter, type Filters } from "#api/wire";
import { Fault } from "#core/fault";
import { hasLabel } from "#core/label";
import type { PruneRequest, Volume } from "#volumes";

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
  const patterns = filters["name"]?.map(parsePattern);
  return volumes.filter(
    (volume) =>
      (filters["driver"]?.includes(volume.driver) ?? true) &&
      (patterns?.some((pattern) => pattern.test(volume.name)) ?? true) &&
      (filters["label"] ?? []).every((label) => hasLabel(volume.labels, label)) &&
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
    accepts: ({ labels }) =>
      (filters["label"] ?? []).every((label) => hasLabel(labels, label)) &&
      !(filters["label!"] ?? []).some((label) => hasLabel(labels, label)),
  };
}

/** Go's and JavaScript's regular expressions agree on what people write for names; a length bound keeps the rest harmless. */
function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text.slice(0, 256));
  } catch (error) {
    throw new Fault("invalid", `invalid filter 'name=${text.slice(0, 60)}'`, { cause: error });
  }
}
