import { Fault } from "#core/fault";
import { announce } from "../announce.ts";
import type { Room } from "../room.ts";
import { cgroupOf } from "../life/runtime.ts";
import { mustRun } from "../state.ts";

/** The container's processes, as the host's `ps` shows them with those arguments. */
export async function top(
  room: Room,
  nameOrId: string,
  psArgs: string,
): Promise<{ readonly titles: readonly string[]; readonly processes: readonly (readonly string[])[] }> {
  const record = room.store.find(nameOrId);
  mustRun(record);
  const args = (psArgs.trim() === "" ? "-ef" : psArgs.trim()).split(/\s+/);
  if (args.some((arg) => /pid=|^--?(?:p|q|pid|ppid|quick-pid)(?:=|$)/.test(arg))) {
    throw new Fault("invalid", `specifying a PID is not allowed: ${psArgs.slice(0, 100)}`);
  }
  const pids = await room.host.cgroups.pidsOf(cgroupOf(room, record.id));
  const table = await room.host.machine.ps(args, pids);
  announce(room, record, "top");
  return table;
}
