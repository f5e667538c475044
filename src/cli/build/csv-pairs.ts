import { csvFields } from "../flags/csv.ts";

/** `type=local,dest=out` as a map; a field without `=` has an empty value. Throws an Error for no fields. */
export function csvPairs(item: string): Record<string, string> {
  return Object.fromEntries(
    csvFields(item).map((field): [string, string] => {
      const equals = field.indexOf("=");
      return equals < 0 ? [field, ""] : [field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1)];
    }),
  );
}
