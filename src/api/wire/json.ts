import { Fault } from "#core/fault";

/** Nesting that no Engine API document needs. */
const maxDepth = 64;

/** What V8 has and TypeScript's library does not declare yet (ECMAScript proposal "JSON.parse source text access"). */
interface SourceTextJson {
  rawJSON(text: string): unknown;
  parse(
    text: string,
    reviver: (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
}

const json = JSON as unknown as SourceTextJson;

/** JSON text of a value; a bigint becomes a bare number with all its digits. HTML characters stay as they are (`<missing>`). */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "bigint" ? json.rawJSON(part.toString()) : part,
  );
}

/** A bigint as a value that JSON.stringify writes as a bare number: where `toJson` is too slow. */
export function bareNumber(value: bigint): number {
  return json.rawJSON(value.toString()) as number;
}

/** Parses JSON; whole numbers too large for a double become bigint. Fault `invalid` for what is not JSON or nests deeper than 64. The caller bounds the size. */
export function parseJson(text: string): unknown {
  if (depthOf(text) > maxDepth) throw new Fault("invalid", `invalid JSON: nested deeper than ${maxDepth} levels`);
  try {
    // The reviver is slow, and only digits in a long row need it.
    return /\d{16}/.test(text) ? json.parse(text, keepDigits) : (JSON.parse(text) as unknown);
  } catch (error) {
    throw new Fault("invalid", `invalid JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function keepDigits(this: unknown, _key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context.source ?? "";
  return /^-?\d{1,30}$/.test(source) ? BigInt(source) : value;
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
