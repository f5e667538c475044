import { Fault } from "#core/fault";

const nsPerSecond = 1_000_000_000n;

/**
 * Reads `since` and `until` as the API takes them: seconds since 1970 with an optional fraction (`1700000000.5`,
 * `1700000000.000000001`), an RFC 3339 time or date, or a Go duration before now (`10m`, `1h30m`). Answers nanoseconds
 * since 1970; undefined for an empty text and for `0`. Fault `invalid` for anything else.
 */
export function parseTime(text: string | undefined, nowNs: bigint): bigint | undefined {
  if (text === undefined || text === "" || text === "0") return undefined;
  const [, sign, seconds, fraction = ""] = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(text) ?? [];
  if (seconds !== undefined) {
    const ns = BigInt(seconds) * nsPerSecond + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
    return sign === "-" ? -ns : ns;
  }
  const durationNs = parseDuration(text);
  if (durationNs !== undefined) return nowNs - durationNs;
  return parseRfc3339(text) ?? fail(text);
}

/** A time as `since` and `until` carry it: seconds, a point, nine digits. */
export function formatTime(timeNs: bigint): string {
  return `${timeNs / nsPerSecond}.${(timeNs % nsPerSecond).toString().padStart(9, "0")}`;
}

const unitNs: Readonly<Record<string, number>> = {
  h: 3_600_000_000_000,
  m: 60_000_000_000,
  s: 1_000_000_000,
  ms: 1_000_000,
  us: 1000,
  µs: 1000,
  ns: 1,
};

/** Reads a Go duration (`1h30m`, `1.5s`, `100ms`) into nanoseconds; undefined when the text is none. */
export function parseDuration(text: string): bigint | undefined {
  if (!/^-?(?:\d+(?:\.\d*)?(?:h|ms|us|µs|ns|m|s))+$/.test(text) || text.length > 60) return undefined;
  let totalNs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d*)?)(h|ms|us|µs|ns|m|s)/g)) {
    totalNs += Number(amount) * (unitNs[unit ?? ""] ?? 0);
  }
  if (!Number.isFinite(totalNs) || totalNs > 2 ** 63) return undefined;
  return BigInt(Math.round(text.startsWith("-") ? -totalNs : totalNs));
}

const rfc3339 = /^(\d{4}-\d\d-\d\d)(?:T(\d\d(?::\d\d(?::\d\d(?:\.(\d{1,9}))?)?)?))?(Z|[+-]\d\d:\d\d)?$/;

function parseRfc3339(text: string): bigint | undefined {
  const [, date, clock = "00:00:00", fraction = "", zone = ""] = rfc3339.exec(text) ?? [];
  if (date === undefined) return undefined;
  const whole = clock.replace(/\..*$/, "");
  const padded = whole + ":00".repeat(3 - whole.split(":").length);
  // Without a zone it is the machine's local time, as a person typed it.
  const millis = Date.parse(`${date}T${padded}${zone}`);
  if (Number.isNaN(millis)) return undefined;
  return BigInt(millis) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}

function fail(text: string): never {
  throw new Fault("invalid", `invalid timestamp: ${text.slice(0, 100)}`, {
    remedy: "Give seconds since 1970, a time such as 2026-01-31T12:00:00Z, or a duration such as 10m.",
  });
}
