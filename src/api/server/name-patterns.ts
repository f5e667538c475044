import type { Filters } from "#api/wire";
import { Fault } from "#core/fault";

/** Whether a text is among the filter's values, or fits one of them as a pattern; all do where the filter is not given. Fault `invalid` for what is no pattern. */
export function fitsPatterns(filters: Filters, key: string): (text: string) => boolean {
  const values = filters[key];
  if (values === undefined) return () => true;
  const patterns = values.map((value) => parsePattern(key, value));
  return (text) => values.includes(text) || patterns.some((pattern) => pattern.test(text));
}

/** Go's and JavaScript's regular expressions agree on what people write for names; a length bound keeps the rest harmless. */
function parsePattern(key: string, text: string): RegExp {
  try {
    return new RegExp(text.slice(0, 256));
  } catch (error) {
    throw new Fault("invalid", `invalid filter '${key}=${text.slice(0, 60)}'`, { cause: error });
  }
}
