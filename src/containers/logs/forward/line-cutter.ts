import type { LogPosition, LogRecord, StreamName } from "#host";
import { longestLineBytes } from "../../streams/lines.ts";
import type { TargetLine } from "../drivers/log-driver.ts";
import type { Place, Places } from "./cursor-file.ts";

/** Cuts the records of a log into lines, and knows where to begin again so that none is lost and none comes twice. */
export class LineCutter {
  readonly #from: Places;
  readonly #open = new Map<StreamName, OpenLine>();
  readonly #long = new Map<StreamName, { readonly id: string; readonly ordinal: number }>();
  #end: Place;

  /** What stands before those places is passed over. */
  constructor(from: Places) {
    this.#from = from;
    this.#end = comparePlaces(from.stdout, from.stderr) > 0 ? from.stdout : from.stderr;
  }

  /** Where a reader has to begin. */
  static start({ stdout, stderr }: Places): LogPosition {
    return comparePlaces(stdout, stderr) < 0 ? stdout : stderr;
  }

  /** The lines that the record ends. */
  push(record: LogRecord): TargetLine[] {
    const place = this.#from[record.stream];
    const order = record.start.segment - place.segment || record.start.offset - place.offset;
    this.pass(record);
    return order < 0 ? [] : this.#cut(record, order === 0 ? place.skipBytes : 0);
  }

  /** A record without output. */
  pass(record: LogRecord): void {
    const end = { ...record.end, skipBytes: 0 };
    if (comparePlaces(end, this.#end) > 0) this.#end = end;
  }

  /** What has no newline, at the end of all output. */
  rest(): TargetLine[] {
    const lines: TargetLine[] = [];
    for (const [stream, { timeNs, pieces }] of this.#open) {
      const part = this.#partOf(stream, true);
      const bytes = joined(pieces);
      lines.push({ stream, timeNs, bytes, unfinished: true, ...(part !== undefined && { part }) });
    }
    this.#open.clear();
    this.#long.clear();
    return lines;
  }

  /** Where to begin again when all lines so far were taken. */
  places(): Places {
    const placeOf = (stream: StreamName): Place => this.#open.get(stream)?.place ?? this.#end;
    return { stdout: placeOf("stdout"), stderr: placeOf("stderr") };
  }

  #cut({ stream, timeNs, bytes, start }: LogRecord, from: number): TargetLine[] {
    const lines: TargetLine[] = [];
    for (let at = from; at < bytes.length;) {
      const line: OpenLine = this.#open.get(stream) ?? {
        timeNs,
        pieces: [],
        sizeBytes: 0,
        place: { ...start, skipBytes: at },
      };
      const newline = bytes.indexOf(0x0a, at);
      const isEnd = newline >= 0 && newline - at <= longestLineBytes - line.sizeBytes;
      const end = isEnd ? newline : Math.min(bytes.length, at + longestLineBytes - line.sizeBytes);
      line.pieces.push(bytes.subarray(at, end));
      line.sizeBytes += end - at;
      at = isEnd ? end + 1 : end;
      if (!isEnd && line.sizeBytes < longestLineBytes) {
        this.#open.set(stream, line);
        continue;
      }
      this.#open.delete(stream);
      const part = this.#partOf(stream, isEnd, line.place);
      lines.push({ stream, timeNs: line.timeNs, bytes: joined(line.pieces), ...(part !== undefined && { part }) });
    }
    return lines;
  }

  /** Undefined for a line that is whole. */
  #partOf(stream: StreamName, last: boolean, place?: Place): TargetLine["part"] {
    const before = this.#long.get(stream);
    if (before === undefined && last) return undefined;
    const id = before?.id ?? `${stream}-${place?.segment}-${place?.offset}-${place?.skipBytes}`;
    const ordinal = (before?.ordinal ?? 0) + 1;
    if (last) this.#long.delete(stream);
    else this.#long.set(stream, { id, ordinal });
    return { id, ordinal, last };
  }
}

/** A line that has not ended; it grows in place, as a program may write it byte by byte. */
interface OpenLine {
  readonly timeNs: bigint;
  readonly pieces: Uint8Array[];
  sizeBytes: number;
  readonly place: Place;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  return first !== undefined && pieces.length === 1 ? first : Buffer.concat(pieces);
}

/** Negative when the first comes first. */
export function comparePlaces(a: Place, b: Place): number {
  return a.segment - b.segment || a.offset - b.offset || a.skipBytes - b.skipBytes;
}
