import type { LogPosition, OutputChunk, StreamName } from "#host";
import type { Session } from "./containers.ts";

export async function logBounds(folder: string): Promise<{ start: LogPosition; end: LogPosition }> {
  throw new Error(folder);
}

/** The log's output up to now, as a session that takes no input. */
export function replaySession(tty: boolean, folder: string | undefined, streams: readonly StreamName[]): Session {
  throw new Error(String(tty) + folder + streams);
}
export type { OutputChunk };
