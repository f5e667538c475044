import type { LogLine, LogOptions } from "./containers.ts";
import type { Room } from "./room.ts";
export async function* logs(
  room: Room,
  nameOrId: string,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  throw new Error(String([room, nameOrId, options, signal]));
}
