import type { Platform } from "#core/oci";
import { malformedPlatform, parsePlatform as parseText } from "#core/platform";
import { parseJson } from "#api/wire";

/** Reads `linux/amd64`, `linux/arm/v7`, or the JSON form of API 1.48; undefined where it says no more than this machine's. Fault `invalid` in Docker's words. */
export function parsePlatform(text: string | undefined): Platform | undefined {
  if (text === undefined || text === "" || text.toLowerCase() === "linux") return undefined;
  return text.startsWith("{") ? platformFromJson(text) : parseText(text);
}

function platformFromJson(text: string): Platform {
  const value = parseJson(text) as Readonly<Record<string, unknown>>;
  const { os, architecture, variant } = value;
  if (typeof os !== "string" || typeof architecture !== "string") throw malformedPlatform(text);
  return { os, architecture, ...(typeof variant === "string" && variant !== "" && { variant }) };
}
