import type { Fault } from "#core/fault";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";
import { settleEnd, tellGivenUp } from "./policy-end.ts";
import { launch, startFault } from "./start.ts";

/** A start that a restart policy ordered. One that fails is as good as a run that failed: its reason is in the state, and it is tried again. */
export async function startAgain(room: Room, id: string): Promise<void> {
  using _lock = await room.locks.take(id);
  const record = room.store.get(id);
  if (record?.state.status !== "restarting" || room.stopping || room.closing) return;
  try {
    await launch(room, record);
  } catch (error) {
    const { fault, exitCode } = await startFault(room, record, error);
    warn(room, record, fault);
    const now = room.store.get(id);
    if (now?.state.status !== "restarting") return;
    const { startedNs, oomKilled } = now.state;
    const facts = { startedNs, finishedNs: room.clock.now(), exitCode, oomKilled, error: fault.message };
    if (!settleEnd(room, now, facts, 0)) tellGivenUp(room, id);
  }
}

/** Nobody waits for this start: the daemon's log has it. */
function warn(room: Room, record: ContainerRecord, fault: Fault): void {
  room.log?.warn("a container could not be started again", { container: record.name, error: fault.message });
}
