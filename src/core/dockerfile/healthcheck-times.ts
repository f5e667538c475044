import { parseGoDuration } from "../go-duration.ts";
import type { Healthcheck } from "../oci.ts";
import type { Flag, Raw } from "./dockerfile.ts";
import { SyntaxFault } from "./syntax-fault.ts";

type DurationField = "Interval" | "Timeout" | "StartPeriod" | "StartInterval";

const durationFields: Readonly<Record<string, DurationField>> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
};

/** What the flags of HEALTHCHECK say, in nanoseconds; a time of 0 stands for the default. Faults: `SyntaxFault` at the value. */
export function healthcheckTimes(flags: readonly Flag[]): Healthcheck {
  const entries = flags
    .filter(({ value }) => value.text !== "")
    .map(({ name, value }): [string, number] => {
      const field = durationFields[name];
      return field === undefined ? ["Retries", retriesOf(value)] : [field, durationOf(name, value)];
    });
  return Object.fromEntries(entries);
}

const leastNs = 1_000_000;

function durationOf(name: string, { text, span }: Raw): number {
  const durationNs = parseGoDuration(text.replace(/^[+-]/, ""));
  if (durationNs === undefined) {
    const remedy = "Write it such as 30s or 1m30s, at least 1ms.";
    throw new SyntaxFault(`time: invalid duration ${JSON.stringify(text)}`, span, { remedy });
  }
  if (durationNs !== 0n && (text.startsWith("-") || durationNs < leastNs))
    throw new SyntaxFault(`Interval ${JSON.stringify(name)} cannot be less than 1ms`, span);
  return Number(durationNs);
}

function retriesOf({ text, span }: Raw): number {
  if (!/^[+-]?\d{1,10}$/.test(text)) {
    const message = `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw new SyntaxFault(message, span);
  }
  const retries = Number(text);
  if (retries > 2 ** 31 - 1)
    throw new SyntaxFault(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`, span);
  if (retries < 0) throw new SyntaxFault(`--retries cannot be negative (${retries})`, span);
  return retries;
}
