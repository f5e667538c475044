import type { TarType } from "#core/tar";

/** What something in a tree is. */
export interface FileFacts {
  /** Bytes as a latin1 string. */
  readonly name: string;
  readonly type: Exclude<TarType, "hardlink"> | "socket";
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  /** Of the last change of any of these facts. */
  readonly ctimeNs: bigint;
  /** Device (but of what is mounted for the look) and inode number. */
  readonly inode: string;
  /** Size and both times: whoever has the same inode and version is very likely unchanged. */
  readonly version: string;
  /** Of a symlink, as latin1. */
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  /** Extended attributes of its own, values as latin1. */
  readonly attributes: ReadonlyMap<string, string>;
}

/**
 * Reads the facts of shim/files.c. `isMounted`: the tree is mounted for each look, and has another device number each time; its
 * inode numbers are those of the layers' files, all on one file system.
 */
export function readFacts(body: Buffer, isMounted: boolean): FileFacts {
  const mode = body.readUInt32BE(0);
  const type = types[(mode >> 12) & 0o17] ?? "socket";
  const nameEnd = headBytes + body.readUInt16BE(72);
  const targetEnd = nameEnd + body.readUInt16BE(74);
  return {
    name: body.toString("latin1", headBytes, nameEnd),
    type,
    mode: mode & 0o7777,
    uid: body.readUInt32BE(4),
    gid: body.readUInt32BE(8),
    links: body.readUInt32BE(12),
    sizeBytes: type === "file" ? Number(body.readBigUInt64BE(40)) : 0,
    mtimeNs: timeAt(body, 48),
    ctimeNs: timeAt(body, 60),
    inode: body.toString("latin1", isMounted ? 32 : 24, 40),
    version: body.toString("latin1", 40, 72),
    target: body.toString("latin1", nameEnd, targetEnd),
    major: type === "char" || type === "block" ? body.readUInt32BE(16) : 0,
    minor: type === "char" || type === "block" ? body.readUInt32BE(20) : 0,
    attributes: targetEnd === body.length ? noAttributes : readAttributes(body.subarray(targetEnd)),
  };
}

const headBytes = 76;
const noAttributes: ReadonlyMap<string, string> = new Map();

/** By the type bits of a mode. */
const types: Readonly<Record<number, FileFacts["type"]>> = {
  0o1: "fifo",
  0o2: "char",
  0o4: "directory",
  0o6: "block",
  0o10: "file",
  0o12: "symlink",
};

function timeAt(body: Buffer, at: number): bigint {
  return body.readBigInt64BE(at) * 1_000_000_000n + BigInt(body.readUInt32BE(at + 8));
}

function readAttributes(bytes: Buffer): ReadonlyMap<string, string> {
  const found: [string, string][] = [];
  for (let at = 0; at < bytes.length;) {
    const nameEnd = at + 6 + bytes.readUInt16BE(at);
    const valueEnd = nameEnd + bytes.readUInt32BE(at + 2);
    found.push([bytes.toString("latin1", at + 6, nameEnd), bytes.toString("latin1", nameEnd, valueEnd)]);
    at = valueEnd;
  }
  return new Map(found.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
