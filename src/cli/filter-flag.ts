import type { Filters } from "#api/client";
import { type Flag, list } from "./flags/flag.ts";

/** `-f name=value`, as often as wanted; `short: false` where `-f` is something else. */
export function filterFlag(help: string, options: { readonly short?: boolean } = {}): Flag<readonly string[]> {
  return list(help, {
    ...(options.short !== false && { short: "f" }),
    typeName: "filter",
    check(item) {
      if (!item.includes("=")) throw new Error("bad format of filter (expected name=value)");
      return item;
    },
  });
}

/** The filters by name; names in lower case, blanks around name and value dropped. */
export function filtersOf(items: readonly string[]): Filters {
  const filters: Record<string, string[]> = {};
  for (const item of items) {
    const equals = item.indexOf("=");
    const name = item.slice(0, equals).trim().toLowerCase();
    (filters[name] ??= []).push(item.slice(equals + 1).trim());
  }
  return filters;
}
