import type { RestartPolicy } from "#api/wire";

/** Reads `--restart NAME[:TIMES]`; throws an Error in Docker's words. The engine knows the names. */
export function readRestartPolicy(item: string): RestartPolicy {
  const [name = "", times, more] = item.split(":");
  if (more !== undefined || (times !== undefined && !/^-?\d+$/.test(times))) {
    throw new Error("invalid restart policy format: maximum retry count must be an integer");
  }
  return { Name: name, MaximumRetryCount: Number(times ?? 0) };
}
