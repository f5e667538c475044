import { Fault } from "#core/fault";
import type { TarHeader, TarType } from "#core/tar";

/** Who owns what is unpacked, whatever the archive says. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const typeLetters: Readonly<Record<TarType, string>> = {
  file: "f",
  directory: "d",
  symlink: "l",
  hardlink: "h",
  char: "c",
  block: "b",
  fifo: "p",
};
const headBytes = 53;
const attributePrefix = "SCHILY.xattr.";

/** Ends the records. */
export const recordsEnd: Uint8Array = Buffer.concat([Buffer.from("e"), Buffer.alloc(headBytes - 1)]);

/** An entry as the shim's `apply` reads it (shim/apply.c), without its data; undefined for the folder itself. Fault `invalid` when its name leads out of the folder. */
export function encodeEntry(header: TarHeader, owner: Owner | undefined): Uint8Array | undefined {
  const path = namesOf(header.path, header.path).join("/");
  if (path === "") return undefined;
  const target = header.type === "hardlink" ? namesOf(header.linkPath, header.path).join("/") : header.linkPath;
  const texts = [Buffer.from(path, "latin1"), Buffer.from(target, "latin1"), attributesOf(header)] as const;
  const head = Buffer.alloc(headBytes);
  head.write(typeLetters[header.type], 0, "latin1");
  const nanoseconds = ((header.mtimeNs % billion) + billion) % billion;
  const { uid, gid } = owner ?? header;
  const numbers = [header.mode, uid, gid, Number(nanoseconds), header.major, header.minor];
  for (const [index, number] of [...numbers, ...texts.map((text) => text.length)].entries())
    head.writeUInt32BE(number, 1 + 4 * index);
  head.writeBigInt64BE((header.mtimeNs - nanoseconds) / billion, 37);
  head.writeBigUInt64BE(BigInt(header.sizeBytes), 45);
  return Buffer.concat([head, ...texts]);
}

const billion = 1_000_000_000n;

/** The names of an archive's path, from the folder on. */
function namesOf(path: string, entry: string): string[] {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") names.push(name);
    else if (names.pop() === undefined)
      throw new Fault("invalid", `${JSON.stringify(entry.slice(0, 200))} is outside of the folder it is unpacked into`);
  }
  return names;
}

/** People's own attributes and file capabilities; the rest belongs to this machine's security and overlays. */
function attributesOf({ pax }: TarHeader): Buffer {
  const pieces: Buffer[] = [];
  for (const [keyword, value] of pax) {
    const name = keyword.startsWith(attributePrefix) ? keyword.slice(attributePrefix.length) : "";
    if (!name.startsWith("user.") && name !== "security.capability") continue;
    for (const text of [Buffer.from(name, "latin1"), Buffer.from(value, "latin1")]) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      pieces.push(length, text);
    }
  }
  return Buffer.concat(pieces);
}
