import { Fault } from "#core/fault";
import { parseJson, toJson } from "./json.ts";

/** Filters by key, each with its wanted values. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** Reads the `filters` parameter, `{"label":{"a=b":true}}` or the older `{"label":["a=b"]}`. Fault `invalid` for other shapes and for keys that the route does not know. */
export function parseFilters(text: string | undefined, known: readonly string[]): Filters {
  if (text === undefined || text === "") return {};
  const value = parseFilterJson(text);
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw malformed(text);
  const filters: [string, readonly string[]][] = [];
  for (const [key, wanted] of Object.entries(value)) {
    if (!known.includes(key)) throw new Fault("invalid", `invalid filter '${key}'`);
    filters.push([key, valuesOf(wanted, text)]);
  }
  return Object.fromEntries(filters);
}

/** The `filters` parameter in the newer shape. */
export function formatFilters(filters: Filters): string {
  return toJson(
    Object.fromEntries(
      Object.entries(filters).map(([key, values]) => [
        key,
        Object.fromEntries(values.map((value) => [value, true] as const)),
      ]),
    ),
  );
}

/** A filter that is a yes or no, such as `dangling`; undefined when it is not given. Fault `invalid` for other words, Docker's wording. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters[key];
  if (values === undefined || values.length === 0) return undefined;
  const isTrue = values.some((value) => value === "1" || value === "true");
  const isFalse = values.some((value) => value === "0" || value === "false");
  if (isTrue === isFalse) throw new Fault("invalid", `invalid filter '${key}=[${values.join(" ")}]'`);
  return isTrue;
}

function parseFilterJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw malformed(text);
  }
}

function valuesOf(wanted: unknown, text: string): readonly string[] {
  if (wanted === null) return [];
  if (Array.isArray(wanted) && wanted.every((value) => typeof value === "string")) return wanted;
  if (typeof wanted === "object" && !Array.isArray(wanted)) {
    const entries = Object.entries(wanted as Record<string, unknown>);
    if (entries.every(([, on]) => typeof on === "boolean")) return entries.map(([value]) => value);
  }
  throw malformed(text);
}

function malformed(text: string): Fault {
  return new Fault("invalid", `invalid filter: ${text.slice(0, 200)}`, {
    remedy: 'Send JSON such as {"label":{"a=b":true}}.',
  });
}
