/** The time, handed in so that a test can set it. */
export interface Clock {
  /** Nanoseconds since 1970, as the log records and the Engine API carry them. */
  now(): bigint;
}

/** The machine's clock; nanosecond digits come from the monotonic clock so that successive calls differ. */
export const systemClock: Clock = {
  now() {
    return origin + process.hrtime.bigint();
  },
};

const origin = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

/** RFC 3339 with nanoseconds, UTC, trailing zeros dropped as Go does; the form of times in the Engine API. */
export function rfc3339Nano(timeNs: bigint): string {
  const seconds = timeNs / 1_000_000_000n;
  const fraction = (timeNs % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  const stamp = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return fraction === "" ? `${stamp}Z` : `${stamp}.${fraction}Z`;
}

/** Go's zero time, which the Engine API shows where there is none. */
export const zeroTime = "0001-01-01T00:00:00Z";
