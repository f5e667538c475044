import type { Healthcheck } from "#core/oci";
import { Fault } from "#core/fault";

/** A check with all that Docker fills in; durations in milliseconds. */
export interface HealthTimes {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
}

/** The request's check with what it leaves out taken from the image's (Docker's rule: field by field). Faults `invalid` in Docker's words. */
export function mergeHealthcheck(
  request: Healthcheck | undefined,
  image: Healthcheck | undefined,
): Healthcheck | undefined {
  checkTimes(request);
  const merged = {
    ...image,
    ...Object.fromEntries(Object.entries(request ?? {}).filter(([, value]) => isSaid(value))),
  };
  return request === undefined && image === undefined ? undefined : merged;
}

/** The program that a check runs, in the image's shell where it wants one; undefined: there is no check. */
export function probeCommand(check: Healthcheck | undefined, shell: readonly string[]): string[] | undefined {
  const [kind, ...words] = check?.Test ?? [];
  if (words.length === 0) return undefined;
  if (kind === "CMD") return words;
  return kind === "CMD-SHELL" ? [...(shell.length > 0 ? shell : ["/bin/sh", "-c"]), ...words] : undefined;
}

/** A warning in Docker's words for a test that is of no known kind: it is never run. */
export function healthWarnings(check: Healthcheck | undefined): string[] {
  const kind = check?.Test?.[0];
  if (kind === undefined || ["NONE", "CMD", "CMD-SHELL"].includes(kind)) return [];
  return [`Unknown healthcheck type '${kind.slice(0, 50)}' (expected 'CMD'): there is no health check`];
}

/** Docker's defaults for what is zero or absent. */
export function healthTimes(check: Healthcheck): HealthTimes {
  const ms = (durationNs: number | undefined, fallback: number): number =>
    durationNs === undefined || durationNs === 0 ? fallback : durationNs / 1e6;
  return {
    intervalMs: ms(check.Interval, 30_000),
    timeoutMs: ms(check.Timeout, 30_000),
    startPeriodMs: ms(check.StartPeriod, 0),
    startIntervalMs: ms(check.StartInterval, 5000),
    retries: (check.Retries ?? 0) > 0 ? (check.Retries ?? 0) : 3,
  };
}

function checkTimes(check: Healthcheck | undefined): void {
  for (const name of ["Interval", "Timeout", "StartPeriod", "StartInterval"] as const) {
    const durationNs = check?.[name] ?? 0;
    if (durationNs !== 0 && durationNs < 1e6) {
      throw new Fault("invalid", `${name} in Healthcheck cannot be less than 1ms`);
    }
  }
  if ((check?.Retries ?? 0) < 0) throw new Fault("invalid", "Retries in Healthcheck cannot be negative");
}

function isSaid(value: unknown): boolean {
  return value !== 0 && value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}
