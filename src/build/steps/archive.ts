import { ByteReader } from "#core/byte-reader";
import { Fault, isFault } from "#core/fault";
import { tarBlockBytes, type TarHeader, utf8Name } from "#core/tar";
import { isZeroBlock, readHeaderBlock } from "#core/tar-header";
import type { Shim } from "#host";
import { decompress } from "#images";
import type { SelectedItem } from "../files/files.ts";
import type { BaseFile, BaseFiles } from "./base-files.ts";
import { asEntry, keptAttributes } from "./target.ts";

/** Whether a file is a tar archive, plain or packed: told by its content, as ADD does. */
export async function isArchive(item: SelectedItem, shim: Shim, signal: AbortSignal): Promise<boolean> {
  if (item.kind !== "file") return false;
  for await (const { data } of item.entries(signal)) return await beginsAnArchive(data, shim, signal);
  return false;
}

async function beginsAnArchive(data: AsyncIterable<Uint8Array>, shim: Shim, signal: AbortSignal): Promise<boolean> {
  const reader = new ByteReader(decompress(data, shim, signal));
  try {
    const block = await reader.exactly(tarBlockBytes);
    if (block === undefined || isZeroBlock(block)) return false;
    readHeaderBlock(block);
    return true;
  } catch (error) {
    if (isFault(error, "invalid")) return false;
    throw error;
  } finally {
    await reader.close();
  }
}

const bookkeepingBytes = 256 << 20;
const followedLinks = 255;

/** What is at a place inside the archive's root: made by the archive so far, or there before. */
type Found = { readonly kind: BaseFile["kind"] | "missing"; readonly linkPath: string };
const missing: Found = { kind: "missing", linkPath: "" };

/**
 * Where the entries of an archive go that is unpacked into a directory of the files below. That directory is its root:
 * absolute symlinks count from it, and what leads above it is refused. A directory that is a symlink to one, in the
 * archive or below, is filled where it leads.
 */
export class ArchiveRoot {
  readonly #base: BaseFiles;
  /** The directory, as a path in the layer; empty: the layer's own root. */
  readonly #folder: string;
  readonly #made = new Map<string, Found>();
  readonly #real = new Map<string, readonly string[]>();
  readonly #described = new Set<string>();
  readonly #madeFolder: (path: string) => TarHeader;
  #bytes = 0;

  constructor(base: BaseFiles, folder: string, madeFolder: (path: string) => TarHeader) {
    this.#base = base;
    this.#folder = folder;
    this.#madeFolder = madeFolder;
  }

  /** The layer's entries for one of the archive's: the directories above it that nothing has described yet, and itself; none for the root. */
  async place(header: TarHeader): Promise<TarHeader[]> {
    const names = insideNames(header.path);
    const leaf = names.at(-1);
    if (leaf === undefined) return [];
    const isFolder = header.type === "directory";
    if (header.type === "char" && header.major === 0 && header.minor === 0)
      throw new Fault("invalid", `unsupported tar entry ${shown(header.path)}: in a layer it means a removed file`);
    const parent = await this.#folderOf(names.slice(0, -1));
    const real = isFolder ? await this.#folderOf(names) : [...parent, leaf];
    if (real.length === 0) return [];
    const entries = await this.#above(real.slice(0, -1));
    const path = this.#pathOf(real);
    this.#note(real.join("/"), header);
    entries.push({
      ...header,
      path: isFolder ? `${path}/` : path,
      linkPath: header.type === "hardlink" ? await this.#linkPath(header.linkPath) : header.linkPath,
      userName: "",
      groupName: "",
      pax: keptAttributes(header.pax),
    });
    return entries;
  }

  async #linkPath(linkPath: string): Promise<string> {
    const names = insideNames(linkPath);
    const leaf = names.at(-1);
    if (leaf === undefined) throw new Fault("invalid", "archive has a hard link to its root");
    return this.#pathOf([...(await this.#folderOf(names.slice(0, -1))), leaf]);
  }

  /** The directory that names lead to; what is not there stays as it is named. */
  async #folderOf(names: readonly string[]): Promise<readonly string[]> {
    const key = names.join("/");
    const known = this.#real.get(key);
    if (known !== undefined) return known;
    let left = names;
    for (let links = 0; links < followedLinks; links++) {
      const next = await this.#stepOf(left);
      if (next === undefined) {
        this.#spend(2 * key.length + 100);
        this.#real.set(key, left);
        return left;
      }
      left = next;
    }
    throw new Fault("invalid", `too many symlinks resolving archive path ${shown(key)}`);
  }

  /** The names once their first symlink is followed; undefined when there is none. */
  async #stepOf(names: readonly string[]): Promise<readonly string[] | undefined> {
    for (let at = 0; at < names.length; at++) {
      const { kind, linkPath } = await this.#at(names.slice(0, at + 1));
      if (kind === "missing") return undefined;
      if (kind === "symlink") {
        const from = linkPath.startsWith("/") ? [] : names.slice(0, at);
        return [...insideNames(linkPath, from), ...names.slice(at + 1)];
      }
      if (kind !== "directory") {
        if (at < names.length - 1) throw new Fault("invalid", `mkdir ${shown(names.join("/"))}: not a directory`);
        return undefined;
      }
    }
    return undefined;
  }

  async #at(real: readonly string[]): Promise<Found> {
    return this.#made.get(real.join("/")) ?? (await this.#below(real));
  }

  /** What is there before the archive; asked for by whole directories, as archives fill them. */
  async #below(real: readonly string[]): Promise<Found> {
    let folder = this.#folder;
    for (const [at, name] of real.entries()) {
      const file = (await this.#base.list(folder)).get(name);
      if (file === undefined) return missing;
      if (at === real.length - 1) return file;
      if (file.kind !== "directory") return missing;
      folder = folder === "" ? name : `${folder}/${name}`;
    }
    return { kind: "directory", linkPath: "" };
  }

  /** The directories that lead there and that nothing has described: as they are below, or made. */
  async #above(real: readonly string[]): Promise<TarHeader[]> {
    const entries: TarHeader[] = [];
    for (let length = 1; length <= real.length; length++) {
      const key = real.slice(0, length).join("/");
      if (this.#described.has(key)) continue;
      this.#described.add(key);
      const path = this.#pathOf(real.slice(0, length));
      const { kind } = await this.#at(real.slice(0, length));
      if (kind !== "directory" && kind !== "missing")
        throw new Fault("invalid", `mkdir ${shown(path)}: not a directory`);
      const there = kind === "directory" ? (await this.#base.headers([path])).get(path) : undefined;
      const entry = there === undefined ? this.#madeFolder(path) : asEntry(there);
      this.#note(key, entry);
      entries.push(entry);
    }
    return entries;
  }

  #note(key: string, { type, linkPath }: TarHeader): void {
    this.#spend(2 * key.length + 200);
    if (type === "directory") {
      this.#described.add(key);
      this.#made.set(key, { kind: "directory", linkPath: "" });
      return;
    }
    const before = this.#made.get(key);
    const isSymlink = type === "symlink";
    // Only what can lead elsewhere, or did before, changes where names lead.
    if (isSymlink || before !== undefined) this.#real.clear();
    if (isSymlink || before !== undefined || this.#described.has(key))
      this.#made.set(key, isSymlink ? { kind: "symlink", linkPath } : { kind: "file", linkPath: "" });
    this.#described.delete(key);
  }

  #pathOf(real: readonly string[]): string {
    return this.#folder === "" ? real.join("/") : `${this.#folder}/${real.join("/")}`;
  }

  #spend(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > bookkeepingBytes) throw new Fault("tooLarge", "archive has too many or too long names");
  }
}

/** The names of a path in an archive, counted from its root. Fault `invalid` when it leads above it. */
function insideNames(path: string, from: readonly string[] = []): string[] {
  const names = [...from];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") names.push(name);
    else if (names.pop() === undefined)
      throw new Fault("invalid", `archive path ${shown(path)} is outside extraction root`);
  }
  if (names.length > 400) throw new Fault("tooLarge", "archive has a path of more than 400 folders");
  return names;
}

function shown(path: string): string {
  return JSON.stringify(utf8Name(path).slice(0, 200));
}
