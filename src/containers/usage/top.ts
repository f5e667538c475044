import { Fault } from "#core/fault";
import { announce } from "../announce.ts";
import { cgroupOf } from "../life/runtime.ts";
import type { Room } from "../room.ts";
import { mustRun } from "../state.ts";

/** The container's processes, execs and nested groups included, as the host's `ps` shows them with those arguments. */
export async function top(
  room: Room,
  nameOrId: string,
  psArgs: string,
): Promise<{ readonly titles: readonly string[]; readonly processes: readonly (readonly string[])[] }> {
  const args = psArguments(psArgs);
  const record = room.store.find(nameOrId);
  mustRun(record);
  const pids = await room.host.cgroups.pidsOf(cgroupOf(room, record.id));
  const table = await room.host.machine.ps(args, pids);
  announce(room, record, "top");
  return table;
}

/** As Docker takes them: cut at blanks, `-ef` when there are none. A column that calls itself PID and is none would let others' processes through. */
export function psArguments(text: string): string[] {
  for (const [, column = "", title = ""] of text.matchAll(/\s+(\S*)=\s*(PID\S*)/g)) {
    if (column !== "pid") throw new Fault("invalid", `specifying "${column}=${title}" is not allowed`);
  }
  const words = text.split(/\s+/).filter((word) => word !== "");
  return words.length === 0 ? ["-ef"] : words;
}
