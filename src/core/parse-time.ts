import { Fault } from "./fault.ts";
import { parseGoDuration } from "./go-duration.ts";

/** A point in time as filters give it: seconds since 1970 (with a fraction), a Go duration back from now (`24h`, `1h30m`), or an RFC 3339 time or date. Fault `invalid` otherwise. */
export function parseTime(text: string, nowNs: bigint): bigint {
  const seconds = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (seconds !== null) return BigInt(seconds[1] ?? "0") * 1_000_000_000n + BigInt((seconds[2] ?? "").padEnd(9, "0"));
  const durationNs = parseGoDuration(text);
  if (durationNs !== undefined) return nowNs - durationNs;
  const isTime = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/.test(text);
  const milliseconds = isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(milliseconds))
    throw new Fault("invalid", `invalid time or duration: ${JSON.stringify(text.slice(0, 100))}`);
  return BigInt(milliseconds) * 1_000_000n;
}
