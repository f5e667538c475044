import { Fault } from "#core/fault";

/** Nesting that no Engine API document needs. */
const maxDepth = 64;

/** JSON text of a value; a bigint becomes a bare number with all its digits. HTML characters stay as they are (`<missing>`). */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "bigint" ? (JSON.rawJSON(part.toString()) as unknown) : part,
  );
}

/** Parses JSON; whole numbers too large for a double become bigint. Fault `invalid` for what is not JSON or nests deeper than 64. The caller bounds the size. */
export function parseJson(text: string): unknown {
  if (depthOf(text) > maxDepth) throw new Fault("invalid", `invalid JSON: nested deeper than ${maxDepth} levels`);
  try {
    return JSON.parse(text, (_key, value: unknown, context: { readonly source?: string }) => {
      const isLarge = typeof value === "number" && !Number.isSafeInteger(value);
      return isLarge && context.source !== undefined && /^-?\d{1,30}$/.test(context.source)
        ? BigInt(context.source)
        : value;
    }) as unknown;
  } catch (error) {
    throw new Fault("invalid", `invalid JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** Deepest nesting of brackets outside strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}
