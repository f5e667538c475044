import type { HealthTimes } from "../config/healthcheck.ts";
import type { Health, HealthResult } from "../containers.ts";

/** Results that inspect shows. */
const keptResults = 5;

/** What a new run begins with; the results of earlier runs stay to be seen. */
export function freshHealth(before: Health | undefined): Health {
  return { status: "starting", failingStreak: 0, log: before?.log ?? [] };
}

/** The health after one more result (moby's daemon/health.go: in the start period a failure of one that was never healthy does not count). */
export function afterProbe(health: Health, result: HealthResult, times: HealthTimes, runStartedNs: bigint): Health {
  const log = [...health.log, result].slice(-keptResults);
  if (result.exitCode === 0) return { status: "healthy", failingStreak: 0, log };
  const ageMs = Number(result.startedNs - runStartedNs) / 1e6;
  if (health.status === "starting" && ageMs < times.startPeriodMs) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= times.retries ? "unhealthy" : health.status, failingStreak, log };
}

/**
 * Milliseconds to the next probe. `chance` (0–1) spreads those that began together by a twentieth to either side; a daemon
 * that takes up running containers spreads their first probes over the whole interval.
 */
export function probeDelayMs(
  status: Health["status"],
  times: HealthTimes,
  runAgeMs: number,
  chance: number,
  takenUp = false,
): number {
  const isStarting = status === "starting" && runAgeMs < times.startPeriodMs;
  const wantedMs = isStarting ? times.startIntervalMs : times.intervalMs;
  return takenUp ? wantedMs * chance : wantedMs * (0.95 + 0.1 * chance);
}
