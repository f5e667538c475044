import { type LogPosition, type OutputChunk, readLog, type StreamName } from "#host";
import type { Session } from "../containers.ts";

/** Where a container's log begins; undefined while it is empty. */
export async function logStart(folder: string): Promise<LogPosition | undefined> {
  for await (const record of readLog(folder)) return record.start;
  return undefined;
}

/** The log's output up to now (none without a folder), as a session that takes no input. */
export function replaySession(tty: boolean, folder: string | undefined, streams: readonly StreamName[]): Session {
  return {
    tty,
    output: folder === undefined ? nothing() : replay(folder, streams),
    write: async () => {},
    endInput: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

async function* replay(folder: string, streams: readonly StreamName[]): AsyncGenerator<OutputChunk> {
  for await (const { lostBytes, stream, timeNs, bytes } of readLog(folder)) {
    if (lostBytes === undefined && streams.includes(stream)) yield { stream, timeNs, bytes };
  }
}

// eslint-disable-next-line require-yield
async function* nothing(): AsyncGenerator<OutputChunk> {
  await Promise.resolve();
}
