import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { LogPosition, StreamName } from "./shim-types.ts";

/** Bytes before and behind a record's payload: {u32 n, u64 time ns, u8 stream, u8 flags} … {u32 n}. */
const headBytes = 14;
const tailBytes = 4;
const maxPayloadBytes = 65_536;
const firstWindowBytes = 16_384;
const windowBytes = 262_144;

const searchBlockBytes = 1_048_576;

/** One record of a container's log; `start` and `end` are where it begins and where the next one does. */
export interface LogRecord {
  readonly stream: StreamName;
  readonly timeNs: bigint;
  /** Whether the bytes do not end with a newline. */
  readonly partial: boolean;
  /** Not output: so many bytes of output were lost here, as the disk was full. */
  readonly lostBytes: number | undefined;
  readonly bytes: Uint8Array;
  readonly start: LogPosition;
  readonly end: LogPosition;
}

/** The numbers of a log's segments, ascending; none when there is no log. */
export async function listSegments(dir: string): Promise<number[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  });
  return names
    .filter((name) => /^\d{8}\.log$/.test(name))
    .map((name) => Number.parseInt(name, 10))
    .toSorted((a, b) => a - b);
}

/** One segment, read forward or backward by records; what is torn or damaged ends it. */
export class LogSegment implements AsyncDisposable {
  readonly number: number;
  readonly #file: FileHandle;
  #window = Buffer.alloc(0);
  #windowStart = 0;
  /** A glance at a log reads little of it; who reads on gets more at once. */
  #nextWindowBytes = firstWindowBytes;

  constructor(number: number, file: FileHandle) {
    this.number = number;
    this.#file = file;
  }

  async sizeBytes(): Promise<number> {
    return (await this.#file.stat()).size;
  }

  /** The record that begins at the offset; undefined at the end, and where there is no whole record. */
  async recordAt(offset: number): Promise<LogRecord | undefined> {
    const head = await this.#bytes(offset, headBytes, offset);
    const length = head?.readUInt32BE(0) ?? Number.MAX_SAFE_INTEGER;
    if (head === undefined || length > maxPayloadBytes) return undefined;
    const whole = await this.#bytes(offset, headBytes + length + tailBytes, offset);
    return whole === undefined ? undefined : this.#decode(whole, offset);
  }

  /** The record that ends at the offset. */
  async recordBefore(offset: number): Promise<LogRecord | undefined> {
    const windowStart = Math.max(0, offset - this.#nextWindowBytes);
    const tail =
      offset < headBytes + tailBytes ? undefined : await this.#bytes(offset - tailBytes, tailBytes, windowStart);
    const start = tail === undefined ? -1 : offset - tailBytes - tail.readUInt32BE(0) - headBytes;
    if (start < 0) return undefined;
    const whole = await this.#bytes(start, offset - start, windowStart);
    return whole === undefined ? undefined : this.#decode(whole, start);
  }

  /** The first record that was written at that time or later: only lengths and times are looked at, some 2 GB a second. */
  async findTime(timeNs: bigint): Promise<number | undefined> {
    const block = Buffer.allocUnsafe(searchBlockBytes);
    for (let start = 0; ;) {
      const { bytesRead } = await this.#file.read(block, 0, block.length, start);
      let at = 0;
      while (at + headBytes <= bytesRead) {
        const length = block.readUInt32BE(at);
        if (length > maxPayloadBytes) return undefined;
        if (block.readBigUInt64BE(at + 4) >= timeNs) return start + at;
        at += headBytes + length + tailBytes;
      }
      if (bytesRead < block.length || at === 0) return undefined;
      start += at;
    }
  }

  /** Where the last whole record ends: the size, unless the end is torn. */
  async soundEnd(): Promise<number> {
    const size = await this.sizeBytes();
    if (size === 0 || (await this.recordBefore(size)) !== undefined) return size;
    let end = 0;
    for (let record = await this.recordAt(0); record !== undefined; record = await this.recordAt(end))
      end = record.end.offset;
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  #decode(whole: Buffer, offset: number): LogRecord | undefined {
    const length = whole.readUInt32BE(0);
    const stream = whole.readUInt8(12);
    const flags = whole.readUInt8(13);
    if (length !== whole.length - headBytes - tailBytes || whole.readUInt32BE(whole.length - tailBytes) !== length)
      return undefined;
    if (stream !== 1 && stream !== 2) return undefined;
    const bytes = Buffer.from(whole.subarray(headBytes, headBytes + length)); // the window is used again
    return {
      stream: stream === 1 ? "stdout" : "stderr",
      timeNs: whole.readBigUInt64BE(4),
      partial: (flags & 1) !== 0,
      lostBytes: (flags & 2) === 0 ? undefined : Number(bytes.toString()),
      bytes,
      start: { segment: this.number, offset },
      end: { segment: this.number, offset: offset + whole.length },
    };
  }

  /** Bytes of the file through a window that begins at `windowStart` when it must be read anew; undefined when they are not all there. */
  async #bytes(offset: number, length: number, windowStart: number): Promise<Buffer | undefined> {
    const held = (): Buffer => this.#window.subarray(offset - this.#windowStart, offset - this.#windowStart + length);
    if (offset >= this.#windowStart && held().length === length) return held();
    const buffer = Buffer.allocUnsafe(Math.max(this.#nextWindowBytes, offset - windowStart + length));
    this.#nextWindowBytes = Math.min(2 * this.#nextWindowBytes, windowBytes);
    const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, windowStart);
    this.#window = buffer.subarray(0, bytesRead);
    this.#windowStart = windowStart;
    return held().length === length ? held() : undefined;
  }
}

/** Opens a segment; undefined when rotation has removed it. */
export async function openSegment(dir: string, number: number): Promise<LogSegment | undefined> {
  try {
    return new LogSegment(number, await open(join(dir, `${`${number}`.padStart(8, "0")}.log`), "r"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
