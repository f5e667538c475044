import type { WaitCondition } from "../containers.ts";
import type { Room } from "../room.ts";
import { isRunning, lastExitCode } from "../state.ts";
import type { WaitResult } from "./waiters.ts";

/** Registers a wait for the container's end or removal; the result comes when the condition holds. */
export function wait(
  room: Room,
  nameOrId: string,
  condition: WaitCondition,
  signal: AbortSignal,
): { readonly result: Promise<WaitResult> } {
  const { id, state } = room.store.find(nameOrId);
  if (condition !== "not-running") return { result: room.waiters.add(id, condition, signal) };
  const isUp = isRunning(state) || state.status === "starting" || state.status === "restarting";
  if (isUp) return { result: room.waiters.add(id, "next-exit", signal) };
  const error = "error" in state ? state.error : undefined;
  return {
    result: Promise.resolve({ exitCode: lastExitCode(state), ...(error !== undefined && error !== "" && { error }) }),
  };
}
