/** What an entry of a tar archive is; other types of the formats are refused or are no entries of their own. */
export type TarType = "file" | "hardlink" | "symlink" | "char" | "block" | "directory" | "fifo";

/**
 * One entry of a tar archive. Names are bytes, kept as latin1 strings (one character a byte), so that names that are no
 * UTF-8 stay exact and sort bytewise; `utf8Name` and `nameBytes` convert.
 */
export interface TarHeader {
  readonly type: TarType;
  /** As the archive has it: it may be absolute, hold `..`, end in `/`. */
  readonly path: string;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of data that follow; 0 for all but files. */
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  /** Target of a symlink or hard link, else empty. */
  readonly linkPath: string;
  readonly major: number;
  readonly minor: number;
  readonly userName: string;
  readonly groupName: string;
  /** Further PAX records by keyword, such as `SCHILY.xattr.security.capability`; values are bytes in latin1. */
  readonly pax: ReadonlyMap<string, string>;
}

/** A header of root's, with what is given; for archives that we write. */
export function tarHeader(given: Partial<TarHeader> & Pick<TarHeader, "type" | "path">): TarHeader {
  return {
    mode: given.type === "directory" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    mtimeNs: 0n,
    linkPath: "",
    major: 0,
    minor: 0,
    userName: "",
    groupName: "",
    pax: noRecords,
    ...given,
  };
}

/** A name's bytes as a latin1 string read as UTF-8. */
export function utf8Name(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}

/** A text as the latin1 string of its UTF-8 bytes. */
export function nameBytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Bytes of one tar block. */
export const tarBlockBytes = 512;

const noRecords: ReadonlyMap<string, string> = new Map();
