import { attempt, type Room } from "../room.ts";
import type { ContainerState } from "../containers.ts";
import type { ContainerRecord } from "../store.ts";
import { lastExitCode } from "../state.ts";
import { restartsAfter, startsWithDaemon } from "./restart-policy.ts";

/** What stays of a run that ended. */
type EndFacts = Omit<Extract<ContainerState, { status: "restarting" }>, "status">;

/**
 * Puts the end of a run (or a start that failed) into the store: `restarting` when the container's policy starts it again,
 * else `exited`. The caller holds the container's lock. Answers whether it comes back.
 */
export function settleEnd(room: Room, record: ContainerRecord, facts: EndFacts, ranMs: number): boolean {
  const { id, spec, stoppedByHand, restartCount } = record;
  const isOurs = room.restarting.has(id) || room.stopping;
  const again = !isOurs && restartsAfter(spec.restart, { exitCode: facts.exitCode, stoppedByHand, restartCount });
  if (!again) {
    attempt(room, () => room.store.transition(id, { status: "exited", ...facts }));
    return false;
  }
  attempt(room, () => room.store.transition(id, { status: "restarting", ...facts }, restartCount + 1));
  room.restarts.order(id, ranMs);
  return true;
}

/** Ends the wait for a restart: the container is then `exited`. Waits for a start under way; false when it is not restarting. */
export async function endRestarting(room: Room, id: string): Promise<boolean> {
  using _lock = await room.locks.take(id);
  const record = room.store.get(id);
  if (record?.state.status !== "restarting") return false;
  room.restarts.forget(id);
  giveUp(room, record, record.state);
  return true;
}

/** Orders the starts that the last daemon left to this one: of containers that were restarting, and of those that come back with every daemon. */
export function startWithDaemon(room: Room, record: ContainerRecord): void {
  const { id, spec, state, stoppedByHand, restartCount } = record;
  if (state.status === "exited") {
    const end = { exitCode: state.exitCode, stoppedByHand, restartCount };
    if (!startsWithDaemon(spec.restart, end)) return;
    attempt(room, () => room.store.markStoppedByHand(id, false));
    attempt(room, () => room.store.transition(id, { ...state, status: "restarting" }));
  } else if (state.status !== "restarting") return;
  room.restarts.order(id, 0);
}

/** Makes a changed restart policy hold for a container that is waiting for its restart. The caller holds its lock. */
export function restartPolicyChanged(room: Room, id: string): void {
  const record = room.store.get(id);
  if (record?.state.status !== "restarting") return;
  const { exitCode } = record.state;
  // The restart that it waits for is counted already.
  const restartCount = Math.max(0, record.restartCount - 1);
  if (restartsAfter(record.spec.restart, { exitCode, stoppedByHand: false, restartCount })) return;
  room.restarts.forget(id);
  giveUp(room, record, record.state);
}

function giveUp(room: Room, record: ContainerRecord, state: Extract<ContainerState, { status: "restarting" }>): void {
  attempt(room, () => room.store.transition(record.id, { ...state, status: "exited" }));
  tellGivenUp(room, record.id);
}

/** Tells those who waited for its next run or its end that it does not come back. */
export function tellGivenUp(room: Room, id: string): void {
  const state = room.store.get(id)?.state;
  for (const session of room.waitingSessions.get(id) ?? []) session.abandon();
  room.waitingSessions.delete(id);
  if (state?.status !== "exited") return;
  room.waiters.ended(id, { exitCode: lastExitCode(state), ...(state.error !== "" && { error: state.error }) });
}
