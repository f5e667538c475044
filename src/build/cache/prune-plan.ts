import { Fault } from "#core/fault";
import { parseGoDuration } from "#core/go-duration";
import { parseTime } from "#core/parse-time";
import type { CachePrune, CacheRecord } from "../build.ts";

/** Filters that `builder prune` knows (BuildKit's); with the Engine API's `unused-for` as another word for `until`. */
export const pruneFilters: readonly string[] = [
  "id",
  "parent",
  "type",
  "description",
  "inuse",
  "shared",
  "private",
  "until",
  "unused-for",
  "label",
  "label!",
];

/** What of the cache goes, in the order in which it goes: what was not used for longest first, and nothing that is in use. Fault `invalid` for filters that are not known. */
export function planPrune(
  records: readonly CacheRecord[],
  { all, filters, reservedBytes, maxUsedBytes, minFreeBytes }: CachePrune,
  facts: { readonly nowNs: bigint; readonly freeBytes: number },
): CacheRecord[] {
  for (const key of Object.keys(filters)) {
    if (!pruneFilters.includes(key)) throw new Fault("invalid", `invalid filter '${key}'`);
  }
  const accepted = records
    .filter((record) => !record.inUse && (all || !record.shared) && accepts(filters, record, facts.nowNs))
    .sort((a, b) => Number((a.lastUsedNs ?? a.createdNs) - (b.lastUsedNs ?? b.createdNs)));
  if (reservedBytes === undefined && maxUsedBytes === undefined && minFreeBytes === undefined) return accepted;
  let usedBytes = records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let { freeBytes } = facts;
  const chosen: CacheRecord[] = [];
  for (const record of accepted) {
    const isTooMuch = maxUsedBytes !== undefined && usedBytes > maxUsedBytes;
    const isTooFull = minFreeBytes !== undefined && freeBytes < minFreeBytes;
    const isAboveReserve = usedBytes > (reservedBytes ?? 0);
    const mustGo = maxUsedBytes === undefined && minFreeBytes === undefined ? isAboveReserve : isTooMuch || isTooFull;
    if (!mustGo || !isAboveReserve) break;
    chosen.push(record);
    usedBytes -= record.sizeBytes;
    freeBytes += record.sizeBytes;
  }
  return chosen;
}

function accepts(filters: CachePrune["filters"], record: CacheRecord, nowNs: bigint): boolean {
  const lastNs = record.lastUsedNs ?? record.createdNs;
  const tests: Readonly<Record<string, (value: string) => boolean>> = {
    id: (value) => record.id.startsWith(value),
    parent: (value) => record.parents.some((parent) => parent.startsWith(value)),
    type: (value) => record.type === value,
    description: (value) => record.description.includes(value),
    inuse: (value) => record.inUse === isTrue(value),
    shared: (value) => record.shared === isTrue(value),
    private: (value) => record.shared !== isTrue(value),
    until: (value) => lastNs < parseTime(value, nowNs),
    "unused-for": (value) => lastNs < nowNs - durationOf(value),
    label: () => false,
    "label!": () => true,
  };
  return Object.entries(filters).every(([key, values]) => values.some((value) => tests[key]?.(value) ?? false));
}

function isTrue(value: string): boolean {
  return !["", "0", "no", "false", "none"].includes(value.trim().toLowerCase());
}

function durationOf(text: string): bigint {
  const durationNs = parseGoDuration(text);
  if (durationNs === undefined) throw new Fault("invalid", `invalid filter 'unused-for=${text.slice(0, 60)}'`);
  return durationNs;
}
