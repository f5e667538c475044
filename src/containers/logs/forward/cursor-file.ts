import { type FileHandle, open } from "node:fs/promises";
import { constants } from "node:fs";
import { crc32 } from "node:zlib";
import type { LogPosition, StreamName } from "#host";

/** The first byte of a stream that was not taken yet: a record of the log, and how many of its bytes were taken. */
export interface Place extends LogPosition {
  readonly skipBytes: number;
}

export type Places = Readonly<Record<StreamName, Place>>;

/** How far a target has taken a container's log. */
export interface Cursor {
  readonly places: Places;
  /** The target's own; "" at first. */
  readonly state: string;
}

const beginning: Place = { segment: 1, offset: 0, skipBytes: 0 };

/** Before anything was taken. */
export const firstCursor: Cursor = { places: { stdout: beginning, stderr: beginning }, state: "" };

const slotBytes = 512;

/**
 * A cursor on disk: two slots of fixed size that are written in turn, each with its checksum, so that a write that is cut off
 * leaves the other, and a full disk does not matter. It is not synced: after a crash of the whole machine it may be older.
 */
export class CursorFile implements AsyncDisposable {
  readonly #file: FileHandle;
  #turn: number;

  private constructor(file: FileHandle, turn: number) {
    this.#file = file;
    this.#turn = turn;
  }

  /** Opens or makes it. A file that holds no sound cursor is as good as none. */
  static async open(path: string): Promise<{ readonly file: CursorFile; readonly cursor: Cursor }> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const bytes = Buffer.alloc(2 * slotBytes);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead < bytes.length) await file.write(Buffer.alloc(2 * slotBytes, " "), 0, 2 * slotBytes, 0);
    const slots = [decode(bytes.subarray(0, slotBytes)), decode(bytes.subarray(slotBytes))];
    const newest = slots.filter((slot) => slot !== undefined).toSorted((a, b) => b.turn - a.turn)[0];
    return { file: new CursorFile(file, newest?.turn ?? 0), cursor: newest?.cursor ?? firstCursor };
  }

  async write(cursor: Cursor): Promise<void> {
    this.#turn++;
    const bytes = encode({ turn: this.#turn, cursor });
    await this.#file.write(bytes, 0, bytes.length, (this.#turn % 2) * slotBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

interface Slot {
  readonly turn: number;
  readonly cursor: Cursor;
}

function encode(slot: Slot): Buffer {
  const text = JSON.stringify(slot);
  const bytes = Buffer.alloc(slotBytes, " ");
  bytes.write(`${crc32(text).toString(16).padStart(8, "0")} ${text}`);
  if (bytes.at(-1) !== 0x20) throw new Error("a cursor longer than its slot");
  return bytes;
}

function decode(bytes: Buffer): Slot | undefined {
  const text = bytes.toString().trimEnd();
  if (crc32(text.slice(9)) !== Number.parseInt(text.slice(0, 8), 16)) return undefined;
  try {
    return JSON.parse(text.slice(9)) as Slot;
  } catch {
    return undefined;
  }
}
