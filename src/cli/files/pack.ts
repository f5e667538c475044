import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink } from "node:fs/promises";
import { nameBytes, tarHeader, type TarHeader, type TarType } from "#core/tar";
import { writeTar } from "#core/tar-write";

/** Whether a path below the packed folder comes, and (of a folder) whether anything below it may. */
export type PackChoice = (
  path: string,
  isFolder: boolean,
) => { readonly isTaken: boolean; readonly isEntered: boolean };

/** A tar of a file or folder of this machine, its topmost entry called `name`; symlinks stay symlinks, sockets are left out. Sorted; folders come before what is in them. `choose`: what of a folder comes. */
export function pack(path: string, name: string, choose?: PackChoice): AsyncGenerator<Uint8Array, void, void> {
  return writeTar(entriesOf({ path, name, below: "" }, new Map(), choose));
}

/** Where something is, how the archive calls it, and its path below the packed folder. */
interface Packed {
  readonly path: string;
  readonly name: string;
  readonly below: string;
}

interface Entry {
  readonly header: TarHeader;
  readonly data?: AsyncIterable<Uint8Array>;
}

/** `seen`: the first name of each file that has several. */
async function* entriesOf(
  packed: Packed,
  seen: Map<string, string>,
  choose: PackChoice | undefined,
): AsyncGenerator<Entry, void, void> {
  const { path, name, below } = packed;
  const facts = await lstat(path, { bigint: true });
  const type = typeOf(facts);
  if (type === undefined) return;
  const choice = below === "" ? undefined : choose?.(below, type === "directory");
  if (type === "directory") {
    if (choice?.isTaken !== false) yield { header: headerOf(facts, type, `${name}/`) };
    if (choice?.isEntered === false) return;
    for (const child of (await readdir(path)).sort()) {
      const inside = {
        path: `${path}/${child}`,
        name: `${name}/${child}`,
        below: below === "" ? child : `${below}/${child}`,
      };
      yield* entriesOf(inside, seen, choose);
    }
    return;
  }
  if (choice?.isTaken === false) return;
  const known = facts.nlink > 1n ? seen.get(`${facts.dev}:${facts.ino}`) : undefined;
  if (known !== undefined) {
    yield { header: { ...headerOf(facts, "hardlink", name), linkPath: nameBytes(known) } };
    return;
  }
  if (facts.nlink > 1n) seen.set(`${facts.dev}:${facts.ino}`, name);
  if (type === "symlink") {
    const target = await readlink(path, "latin1");
    yield { header: { ...headerOf(facts, type, name), linkPath: target } };
  } else if (type === "file") yield* fileEntry(path, name);
  else yield { header: headerOf(facts, type, name) };
}

/** Header and data are of the file that is open, whatever happens to its name. */
async function* fileEntry(path: string, name: string): AsyncGenerator<Entry, void, void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const facts = await file.stat({ bigint: true });
    if (!facts.isFile()) throw new Error(`${path} became something else while it was copied`);
    const sizeBytes = Number(facts.size);
    yield { header: { ...headerOf(facts, "file", name), sizeBytes }, data: bytesOf(file, path, sizeBytes) };
  } finally {
    await file.close();
  }
}

async function* bytesOf(file: FileHandle, path: string, sizeBytes: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < sizeBytes;) {
    const buffer = Buffer.allocUnsafe(Math.min(1 << 18, sizeBytes - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) throw new Error(`${path} became shorter while it was copied`);
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function headerOf(facts: BigIntStats, type: TarType, name: string): TarHeader {
  const isDevice = type === "char" || type === "block";
  return tarHeader({
    type,
    path: nameBytes(name),
    mode: Number(facts.mode & 0o7777n),
    uid: Number(facts.uid),
    gid: Number(facts.gid),
    mtimeNs: facts.mtimeNs,
    ...(isDevice && { major: majorOf(facts.rdev), minor: minorOf(facts.rdev) }),
  });
}

function typeOf(facts: BigIntStats): TarType | undefined {
  if (facts.isDirectory()) return "directory";
  if (facts.isFile()) return "file";
  if (facts.isSymbolicLink()) return "symlink";
  if (facts.isFIFO()) return "fifo";
  if (facts.isCharacterDevice()) return "char";
  return facts.isBlockDevice() ? "block" : undefined;
}

/** As glibc's gnu_dev_major and gnu_dev_minor. */
function majorOf(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn));
}

function minorOf(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & ~0xffn));
}
