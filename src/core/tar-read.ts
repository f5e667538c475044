import { ByteReader } from "./byte-reader.ts";
import { Fault } from "./fault.ts";
import { isZeroBlock, type RawHeader, readHeaderBlock } from "./tar-header.ts";
import { parsePaxRecords, parsePaxTime } from "./tar-pax.ts";
import { tarBlockBytes, type TarHeader, type TarType } from "./tar.ts";

/** Bounds on what one archive may ask of the reader's memory. */
export interface TarLimits {
  /** Entries in all. */
  readonly entries: number;
  /** Bytes of one path or link target. */
  readonly pathBytes: number;
  /** Bytes of one extended header. */
  readonly extendedHeaderBytes: number;
}

/** An entry with its data, which is to be read before the next entry is asked for; what is left is skipped. */
export interface TarEntry {
  readonly header: TarHeader;
  /** The data in pieces that are views of the source's; empty for all but files. */
  readonly data: AsyncIterable<Uint8Array>;
}

/** Bounds that every honest archive keeps: 2,000,000 entries, the kernel's path length, 1 MiB of extended header. */
export const usualTarLimits: TarLimits = { entries: 2_000_000, pathBytes: 4096, extendedHeaderBytes: 1 << 20 };

/**
 * Reads a tar archive as it streams: V7, ustar, PAX and GNU long names. Ends at the end-of-archive blocks (what follows
 * them is left in the source) or at the source's end behind an entry's data. Faults: `invalid` for anything that is no whole tar,
 * `unsupported` for sparse entries, `tooLarge` past a limit.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array> | ByteReader,
  limits: TarLimits = usualTarLimits,
): AsyncGenerator<TarEntry, void, void> {
  const reader = source instanceof ByteReader ? source : new ByteReader(source);
  for (let count = 0; ; count++) {
    const header = await readHeader(reader, limits);
    if (header === undefined) return;
    if (count >= limits.entries) throw new Fault("tooLarge", `archive has more than ${limits.entries} entries`);
    const data = new EntryData(reader, header.sizeBytes);
    yield { header, data };
    await data.skipRest();
  }
}

class EntryData implements AsyncIterable<Uint8Array> {
  readonly #reader: ByteReader;
  readonly #paddingBytes: number;
  #leftBytes: number;

  constructor(reader: ByteReader, sizeBytes: number) {
    this.#reader = reader;
    this.#leftBytes = sizeBytes;
    this.#paddingBytes = (tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    while (this.#leftBytes > 0) {
      const piece = await this.#reader.some(this.#leftBytes);
      if (piece === undefined) throw truncated();
      this.#leftBytes -= piece.length;
      yield piece;
    }
  }

  async skipRest(): Promise<void> {
    for await (const _ of this);
    for (let left = this.#paddingBytes; left > 0;) {
      const piece = await this.#reader.some(left);
      // The data is whole: writers that are never closed, as the docker CLI's of a context whose Dockerfile comes by itself, end here.
      if (piece === undefined) return;
      left -= piece.length;
    }
  }
}

/** What extended headers say of the entry that follows them. */
interface Extension {
  path?: string;
  linkPath?: string;
  pax?: ReadonlyMap<string, string>;
}

/** The next entry's header with its extensions applied; undefined at the end of the archive. */
async function readHeader(reader: ByteReader, limits: TarLimits): Promise<TarHeader | undefined> {
  const extension: Extension = {};
  // Five kinds of extension exist; a run of more is an attack, not an archive.
  for (let extensions = 0; extensions < 16; extensions++) {
    const block = await reader.exactly(tarBlockBytes);
    if (block === undefined) {
      if (reader.ended && reader.bufferedBytes === 0 && extensions === 0) return undefined;
      throw truncated();
    }
    if (isZeroBlock(block)) {
      if (extensions > 0) throw new Fault("invalid", "archive ends after an extended header");
      return undefined;
    }
    const raw = readHeaderBlock(block);
    switch (raw.flag) {
      case "L":
        extension.path = untilNul(await readBody(reader, raw.sizeBytes, limits));
        break;
      case "K":
        extension.linkPath = untilNul(await readBody(reader, raw.sizeBytes, limits));
        break;
      case "x":
        extension.pax = parsePaxRecords(await readBody(reader, raw.sizeBytes, limits));
        break;
      case "g":
        // Global records carry comments in practice; the specification's other use is ignored as Docker does.
        await readBody(reader, raw.sizeBytes, limits);
        break;
      default:
        return withExtension(raw, extension, limits);
    }
  }
  throw new Fault("invalid", "archive has too many extended headers in a row");
}

async function readBody(reader: ByteReader, sizeBytes: number, limits: TarLimits): Promise<Buffer> {
  if (sizeBytes > limits.extendedHeaderBytes) {
    throw new Fault("tooLarge", `archive has an extended header of ${sizeBytes} bytes`);
  }
  const paddedBytes = Math.ceil(sizeBytes / tarBlockBytes) * tarBlockBytes;
  const body = await reader.exactly(paddedBytes);
  if (body === undefined) throw truncated();
  return body.subarray(0, sizeBytes);
}

function withExtension(raw: RawHeader, extension: Extension, limits: TarLimits): TarHeader {
  const pax = extension.pax ?? noRecords;
  if (raw.flag === "S" || pax.has("GNU.sparse.major") || pax.has("GNU.sparse.size") || pax.has("GNU.sparse.map")) {
    throw new Fault("unsupported", "archive has sparse entries, which are not supported", {
      remedy: "Make the archive again without tar's --sparse.",
    });
  }
  const path = pax.get("path") ?? extension.path ?? raw.path;
  const type = typeOf(raw.flag, path);
  const linkPath = pax.get("linkpath") ?? extension.linkPath ?? raw.linkPath;
  if (path.length > limits.pathBytes || linkPath.length > limits.pathBytes) {
    throw new Fault("tooLarge", `archive has a path of more than ${limits.pathBytes} bytes`);
  }
  if (path.includes("\0") || linkPath.includes("\0")) throw new Fault("invalid", "archive has a path with a NUL in it");
  const sizeBytes = wholeNumber(pax.get("size"), "size") ?? raw.sizeBytes;
  const mtime = pax.get("mtime");
  return {
    type,
    path,
    mode: raw.mode & 0o7777,
    uid: idNumber(wholeNumber(pax.get("uid"), "uid") ?? raw.uid),
    gid: idNumber(wholeNumber(pax.get("gid"), "gid") ?? raw.gid),
    sizeBytes: type === "file" ? sizeBytes : 0,
    mtimeNs: mtime === undefined ? BigInt(raw.mtimeSeconds) * 1_000_000_000n : parsePaxTime(mtime),
    linkPath: type === "symlink" || type === "hardlink" ? linkPath : "",
    major: raw.major,
    minor: raw.minor,
    userName: pax.get("uname") ?? raw.userName,
    groupName: pax.get("gname") ?? raw.groupName,
    pax: furtherRecords(pax),
  };
}

const typeOfFlag: Readonly<Record<string, TarType>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

function typeOf(flag: string, path: string): TarType {
  const type = typeOfFlag[flag];
  if (type === undefined) throw new Fault("invalid", `archive has an entry of unknown type ${JSON.stringify(flag)}`);
  // Before ustar, a directory was a file whose name ends in a slash.
  return type === "file" && path.endsWith("/") ? "directory" : type;
}

const appliedRecords = new Set(["path", "linkpath", "size", "mtime", "uid", "gid", "uname", "gname"]);
const noRecords: ReadonlyMap<string, string> = new Map();

function furtherRecords(pax: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  if (pax.size === 0) return noRecords;
  return new Map([...pax].filter(([keyword]) => !appliedRecords.has(keyword)));
}

function wholeNumber(text: string | undefined, keyword: string): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new Fault("invalid", `archive has a bad PAX ${keyword}`);
  return value;
}

/** Ids are 32 bits in the kernel; an archive with other ones is broken or means mischief. */
function idNumber(value: number): number {
  if (value < 0 || value > 0xffff_fffe) throw new Fault("invalid", `archive has an owner id out of range: ${value}`);
  return value;
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
}

function truncated(): Fault {
  return new Fault("invalid", "archive is truncated: unexpected EOF");
}
