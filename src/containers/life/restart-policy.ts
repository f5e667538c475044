import type { RestartPolicy } from "../containers.ts";

/** The end of a run, or a start by the policy that failed, as a policy looks at it. */
export interface RunEnd {
  /** A failed start: 126 to 128. */
  readonly exitCode: number;
  readonly stoppedByHand: boolean;
  /** Restarts by the policy since a person's start. */
  readonly restartCount: number;
}

/** Whether the policy starts the container again. What a person stopped stays down, whatever the policy. */
export function restartsAfter(policy: RestartPolicy, end: RunEnd): boolean {
  if (end.stoppedByHand) return false;
  switch (policy.name) {
    case "no":
      return false;
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure":
      return end.exitCode !== 0 && (policy.maximumRetries === 0 || end.restartCount < policy.maximumRetries);
  }
  return false;
}

/**
 * Whether a container that ended before the daemon did is started with the next daemon: `always` comes back although a person
 * stopped it. One that never ran is left alone.
 */
export function startsWithDaemon(policy: RestartPolicy, end: RunEnd): boolean {
  return policy.name === "always" || restartsAfter(policy, end);
}

/** Docker's back-off: 100 ms, doubled with each restart up to a minute; anew after a run of ten seconds. `beforeMs` is the last one, 0 at first. */
export function nextDelayMs(beforeMs: number, ranMs: number): number {
  if (beforeMs === 0 || ranMs >= longRunMs) return firstDelayMs;
  return Math.min(beforeMs * 2, longestDelayMs);
}

const firstDelayMs = 100;
const longestDelayMs = 60_000;
const longRunMs = 10_000;
