import type { OutputChunk, StreamName } from "#host";
import type { LogLine } from "../containers.ts";

/** Longest line that is kept together; a longer one comes in parts, as in Docker's logs. */
export const longestLineBytes = 16 * 1024;

/** Cuts output into lines, for each stream on its own; a line has the time of its first bytes. What has no newline yet comes at the end. */
export async function* toLines(chunks: AsyncIterable<OutputChunk>): AsyncGenerator<LogLine> {
  const unfinished = new Map<StreamName, LogLine>();
  for await (const chunk of chunks) yield* cut(chunk, unfinished);
  yield* unfinished.values();
}

function* cut(chunk: OutputChunk, unfinished: Map<StreamName, LogLine>): Generator<LogLine> {
  const { stream } = chunk;
  for (let at = 0; at < chunk.bytes.length;) {
    const begun = unfinished.get(stream);
    const newline = chunk.bytes.indexOf(0x0a, at);
    const room = longestLineBytes - (begun?.bytes.length ?? 0);
    const end = Math.min(newline < 0 ? chunk.bytes.length : newline + 1, at + room);
    const bytes = chunk.bytes.subarray(at, end);
    const line: LogLine =
      begun === undefined
        ? { stream, timeNs: chunk.timeNs, bytes }
        : { stream, timeNs: begun.timeNs, bytes: Buffer.concat([begun.bytes, bytes]) };
    at = end;
    if (bytes.at(-1) === 0x0a || line.bytes.length >= longestLineBytes) {
      unfinished.delete(stream);
      yield line;
    } else unfinished.set(stream, line);
  }
}
