import { type LogRecord, listSegments, openSegment } from "./log-segment.ts";
import type { LogPosition, StreamName } from "./shim-types.ts";

export type { LogRecord } from "./log-segment.ts";

const newline = 0x0a;

/** The records from a position on (default: the oldest that is kept), to what is the end at that moment. Segments that rotation takes away meanwhile are passed over. */
export async function* readLog(
  dir: string,
  from: LogPosition = { segment: 0, offset: 0 },
): AsyncGenerator<LogRecord, void, undefined> {
  let position = from;
  for (;;) {
    const number = (await listSegments(dir)).find((candidate) => candidate >= position.segment);
    if (number === undefined) return;
    await using segment = await openSegment(dir, number);
    let offset = number === position.segment ? position.offset : 0;
    for (;;) {
      const record = await segment?.recordAt(offset);
      if (record === undefined) break;
      offset = record.end.offset;
      yield record;
    }
    position = { segment: number + 1, offset: 0 };
  }
}

/** Where the log ends at this moment; undefined when there is none. */
export async function endOfLog(dir: string): Promise<LogPosition | undefined> {
  const number = (await listSegments(dir)).at(-1);
  if (number === undefined) return undefined;
  await using segment = await openSegment(dir, number);
  return { segment: number, offset: (await segment?.soundEnd()) ?? 0 };
}

/**
 * The last lines of those streams together, as trimmed records in the order of the log; an unfinished line at the end
 * counts as one. Lines of two streams that were written at the same time are counted by their ends.
 */
export async function* readLastLines(
  dir: string,
  lines: number,
  streams: readonly StreamName[],
): AsyncGenerator<LogRecord, void, undefined> {
  const cuts = await findCuts(dir, lines, streams);
  const first = [...cuts.values()].toSorted(comparePositions)[0];
  if (first === undefined) return;
  for await (const record of readLog(dir, { segment: first.segment, offset: first.offset })) {
    const cut = cuts.get(record.stream);
    if (record.lostBytes !== undefined || cut === undefined) continue;
    const order = comparePositions(record.start, cut);
    if (order > 0) yield record;
    else if (order === 0 && cut.skipBytes < record.bytes.length)
      yield { ...record, bytes: record.bytes.subarray(cut.skipBytes) };
  }
}

/** The first record that was written at that time or later; undefined when none was. */
export async function findTime(dir: string, timeNs: bigint): Promise<LogPosition | undefined> {
  const segments = await listSegments(dir);
  // The last segment that begins before the time holds it, or the one after does.
  let low = 0;
  for (let high = segments.length; high - low > 1;) {
    const middle = (low + high) >> 1;
    await using segment = await openSegment(dir, segments[middle] ?? 0);
    const record = await segment?.recordAt(0);
    if (record === undefined || record.timeNs < timeNs) low = middle;
    else high = middle;
  }
  for (const number of segments.slice(low)) {
    await using segment = await openSegment(dir, number);
    const offset = await segment?.findTime(timeNs);
    if (offset !== undefined && (await segment?.recordAt(offset)) !== undefined) return { segment: number, offset };
  }
  return undefined;
}

/** Where a stream's first line begins: a record, and how many of its bytes come before the line. */
interface Cut extends LogPosition {
  readonly skipBytes: number;
}

/** Walks backward until that many lines have been seen whole; a stream without a cut has none of them. */
async function findCuts(dir: string, lines: number, streams: readonly StreamName[]): Promise<Map<StreamName, Cut>> {
  const cuts = new Map<StreamName, Cut>();
  const open = new Map<StreamName, Cut>(); // lines whose beginning has not been found: the earliest place that is known to be theirs
  let counted = 0;
  if (lines <= 0) return cuts;
  for await (const record of readBackward(dir)) {
    if (record.lostBytes !== undefined || !streams.includes(record.stream)) continue;
    let end = record.bytes.length;
    if (!record.partial) end--; // the newline at the end belongs to the line that it ends
    const startsLine = !record.partial || !open.has(record.stream);
    if (startsLine && !finish(record, record.bytes.length)) break;
    for (let at = record.bytes.lastIndexOf(newline, end - 1); end > 0 && at >= 0;) {
      if (!finish(record, at + 1)) break;
      end = at;
      at = end > 0 ? record.bytes.lastIndexOf(newline, end - 1) : -1;
    }
    if (open.has(record.stream)) open.set(record.stream, { ...record.start, skipBytes: 0 });
    if (counted >= lines && open.size === 0) break;
  }
  for (const [stream, cut] of open) cuts.set(stream, cut);
  return cuts;

  /** A line of the record's stream begins at that byte, and the one before it ends there. False when nothing is left to find. */
  function finish(record: LogRecord, at: number): boolean {
    const begun: Cut = { ...record.start, skipBytes: at };
    if (counted >= lines) {
      if (open.delete(record.stream)) cuts.set(record.stream, begun);
      return open.size > 0;
    }
    counted++;
    open.set(record.stream, begun);
    return true;
  }
}

async function* readBackward(dir: string): AsyncGenerator<LogRecord, void, undefined> {
  for (const number of (await listSegments(dir)).toReversed()) {
    await using segment = await openSegment(dir, number);
    if (segment === undefined) continue;
    let record = await segment.recordBefore(await segment.soundEnd());
    while (record !== undefined) {
      yield record;
      record = await segment.recordBefore(record.start.offset);
    }
  }
}

function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.segment - b.segment || a.offset - b.offset;
}
