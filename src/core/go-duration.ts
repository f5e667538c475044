/** A Go duration in nanoseconds: `1h30m`, `1.5s`, `0`; undefined when it is none. */
export function parseGoDuration(text: string): bigint | undefined {
  if (text === "0") return 0n;
  if (text.length > 60 || !/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let totalNs = 0;
  for (const match of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    totalNs += Number(match[1]) * (unitNs[match[2] ?? ""] ?? 0);
  return Number.isFinite(totalNs) && totalNs < 9e18 ? BigInt(Math.round(totalNs)) : undefined;
}

const unitNs: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
