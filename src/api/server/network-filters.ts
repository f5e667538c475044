import { fitsLabels } from "#core/label";
import { booleanFilter, type Filters, parseTime } from "#api/wire";
import { Fault } from "#core/fault";
import { isPredefined, type Network } from "#networks";
import { fitsPatterns } from "./name-patterns.ts";

/** The filters of `GET /networks`. */
export const networkListFilters: readonly string[] = ["dangling", "driver", "id", "label", "name", "scope", "type"];

/** The filters of `POST /networks/prune`. */
export const networkPruneFilters: readonly string[] = ["label", "label!", "until"];

/** The networks that fit: OR in a key, AND across keys, labels AND. `isUsed` says whether anybody is in it. Fault `invalid`. */
export function selectNetworks(
  networks: readonly Network[],
  filters: Filters,
  isUsed: (network: Network) => boolean,
): Network[] {
  const types = filters["type"] ?? [];
  const odd = types.find((type) => type !== "custom" && type !== "builtin");
  if (odd !== undefined) throw new Fault("invalid", `invalid filter: 'type'='${odd.slice(0, 100)}'`);
  const dangling = booleanFilter(filters, "dangling");
  const [isNamed, hasId] = [fitsPatterns(filters, "name"), fitsPatterns(filters, "id")];
  return networks.filter((network) => {
    const any = (key: string, test: (value: string) => boolean): boolean => filters[key]?.some(test) ?? true;
    return (
      any("driver", (value) => network.driver === value) &&
      hasId(network.id) &&
      isNamed(network.name) &&
      any("scope", (value) => value === "local") &&
      any("type", (value) => (value === "builtin") === isPredefined(network.name)) &&
      (dangling === undefined || dangling === (!isPredefined(network.name) && !isUsed(network))) &&
      fitsLabels(network.labels, filters)
    );
  });
}

/** Whether `prune` may take it by its labels and age. Fault `invalid`. */
export function prunableBy(filters: Filters, nowNs: bigint): (network: Network) => boolean {
  const wanted = filters["until"] ?? [];
  if (wanted.length > 1) throw new Fault("invalid", "more than one until filter specified");
  const limitNs = parseTime(wanted[0], nowNs);
  return (network) =>
    !isPredefined(network.name) &&
    (limitNs === undefined || network.createdNs <= limitNs) &&
    fitsLabels(network.labels, filters);
}
