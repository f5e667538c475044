import { Fault } from "./fault.ts";
import { tarBlockBytes, type TarHeader, type TarType } from "./tar.ts";

/** The fields of one header block, before extensions (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar's base-256 numbers). */
export interface RawHeader {
  /** The type flag, one character. */
  readonly flag: string;
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly linkPath: string;
  readonly userName: string;
  readonly groupName: string;
  readonly major: number;
  readonly minor: number;
}

/** Reads a header block; Fault `invalid` when its checksum or a number is wrong. */
export function readHeaderBlock(block: Buffer): RawHeader {
  checkSum(block);
  const isUstar = block.toString("latin1", 257, 263) === "ustar\0";
  const isGnu = block.toString("latin1", 257, 265) === "ustar  \0";
  const name = text(block, 0, 100);
  const prefix = isUstar ? text(block, 345, 155) : "";
  const flag = String.fromCharCode(block[156] ?? 0);
  return {
    flag,
    path: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8, "mode"),
    uid: number(block, 108, 8, "uid"),
    gid: number(block, 116, 8, "gid"),
    sizeBytes: nonNegative(number(block, 124, 12, "size"), "size"),
    mtimeSeconds: number(block, 136, 12, "mtime"),
    linkPath: text(block, 157, 100),
    userName: isUstar || isGnu ? text(block, 265, 32) : "",
    groupName: isUstar || isGnu ? text(block, 297, 32) : "",
    major: flag === "3" || flag === "4" ? deviceNumber(number(block, 329, 8, "major"), 0xfff) : 0,
    minor: flag === "3" || flag === "4" ? deviceNumber(number(block, 337, 8, "minor"), 0xfffff) : 0,
  };
}

/** What the fixed fields of a header block can hold; the rest goes into PAX records. */
export const ustarBounds = { pathBytes: 100, nameBytes: 32, id: 0o7777777, sizeBytes: 0o77777777777 } as const;

/** Writes a header block; every field must fit (see `ustarBounds`). */
export function writeHeaderBlock(header: TarHeader, flag: string): Buffer {
  const block = Buffer.alloc(tarBlockBytes);
  block.write(header.path, 0, 100, "latin1");
  octal(block, 100, 8, header.mode);
  octal(block, 108, 8, header.uid);
  octal(block, 116, 8, header.gid);
  octal(block, 124, 12, header.sizeBytes);
  octal(block, 136, 12, Number(header.mtimeNs / 1_000_000_000n));
  block.write(flag, 156, 1, "latin1");
  block.write(header.linkPath, 157, 100, "latin1");
  block.write("ustar\x0000", 257, 8, "latin1");
  block.write(header.userName, 265, 32, "latin1");
  block.write(header.groupName, 297, 32, "latin1");
  octal(block, 329, 8, header.major);
  octal(block, 337, 8, header.minor);
  block.fill(" ", 148, 156, "latin1");
  // By index, and only as far as anything is written: this is done for every entry of every layer.
  let sum = 0;
  for (let at = 0; at < writtenBytes; at++) sum += block[at] ?? 0;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
  return block;
}

/** The last field that we write ends here. */
const writtenBytes = 345;

/** The flag of each type. */
export const flagOfType: Readonly<Record<TarType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** Whether the block is all zeros: the end of the archive. */
export function isZeroBlock(block: Buffer): boolean {
  return block[0] === 0 && block.equals(zeroBlock);
}

const zeroBlock = Buffer.alloc(tarBlockBytes);

/** Sums of unsigned bytes are the rule; signed ones come from old Sun tars. */
function checkSum(block: Buffer): void {
  const stored = number(block, 148, 8, "checksum");
  // The field itself counts as blanks. By index: this is done for every entry of every layer.
  let [unsigned, high] = [8 * 0x20, 0];
  for (let at = 0; at < 148; at++) {
    const byte = block[at] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let at = 156; at < tarBlockBytes; at++) {
    const byte = block[at] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  const signed = unsigned - 256 * high;
  if (stored !== unsigned && stored !== signed) {
    throw new Fault("invalid", "archive/tar: invalid tar header", {
      remedy: "The file is damaged, or no tar archive.",
    });
  }
}

function text(block: Buffer, start: number, length: number): string {
  const nul = block.indexOf(0, start);
  return block.toString("latin1", start, nul < 0 || nul > start + length ? start + length : nul);
}

/** Octal digits, or base-256 when the first bit is set. */
function number(block: Buffer, start: number, length: number, field: string): number {
  const first = block[start] ?? 0;
  if ((first & 0x80) !== 0) return base256(block, start, length, field);
  const digits = block
    .toString("latin1", start, start + length)
    .replace(/\0[\s\S]*$/, "")
    .trim();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw new Fault("invalid", `archive/tar: invalid tar header (${field})`);
  return Number.parseInt(digits, 8);
}

function base256(block: Buffer, start: number, length: number, field: string): number {
  const negative = (block[start] ?? 0) >= 0xc0;
  let value = negative ? -1n : 0n;
  for (let at = start; at < start + length; at++) {
    const byte = block[at] ?? 0;
    value = value * 256n + BigInt(at === start && !negative ? byte & 0x7f : byte);
  }
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw new Fault("invalid", `archive/tar: invalid tar header (${field})`);
  return result;
}

function nonNegative(value: number, field: string): number {
  if (value < 0) throw new Fault("invalid", `archive/tar: invalid tar header (${field})`);
  return value;
}

/** Linux has 12 bits of major and 20 of minor. */
function deviceNumber(value: number, limit: number): number {
  if (value < 0 || value > limit) throw new Fault("invalid", "archive/tar: invalid tar header (device)");
  return value;
}

function octal(block: Buffer, start: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, "0"), start, length - 1, "latin1");
}
