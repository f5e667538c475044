import { Fault } from "#core/fault";

/** A point in time as filters give it: seconds since 1970 (with a fraction), a Go duration back from now (`24h`, `1h30m`), or an RFC 3339 time or date. Fault `invalid` otherwise. */
export function parseTime(text: string, nowNs: bigint): bigint {
  const seconds = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (seconds !== null) return BigInt(seconds[1] ?? "0") * 1_000_000_000n + BigInt((seconds[2] ?? "").padEnd(9, "0"));
  const durationNs = parseDuration(text);
  if (durationNs !== undefined) return nowNs - durationNs;
  const isTime = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/.test(text);
  const milliseconds = isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(milliseconds))
    throw new Fault("invalid", `invalid time or duration: ${JSON.stringify(text.slice(0, 100))}`);
  return BigInt(milliseconds) * 1_000_000n;
}

/** A Go duration in nanoseconds: `1h30m`, `1.5s`, `0`; undefined when it is none. */
export function parseDuration(text: string): bigint | undefined {
  if (text === "0") return 0n;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text) || text.length > 60) return undefined;
  let totalNs = 0;
  for (const match of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    totalNs += Number(match[1]) * (unitNs[match[2] ?? ""] ?? 0);
  return Number.isFinite(totalNs) && totalNs < 9e18 ? BigInt(Math.round(totalNs)) : undefined;
}

const unitNs: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
