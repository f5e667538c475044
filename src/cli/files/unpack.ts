import { constants } from "node:fs";
import { type FileHandle, link, lstat, lutimes, mkdir, open, symlink, unlink } from "node:fs/promises";
import { type TarHeader, utf8Name } from "#core/tar";
import { readTar, type TarEntry } from "#core/tar-read";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

/** How an archive is unpacked. */
export interface UnpackOptions {
  /** The name of an entry under the folder. */
  readonly rename: (path: string) => string;
  /** Told of what cannot be made here. */
  readonly skipped: (path: string) => void;
}

/**
 * Unpacks a container's archive into a folder of this machine. The archive is a stranger's, and the folder may be one that
 * the container sees too: every name is gone down from the open folder, never through a symlink, so nothing outside of it
 * is touched. What is made belongs to whoever runs this, without setuid and setgid bits. Directories are merged; other
 * things replace each other. Throws Errors in Docker's words.
 */
export async function unpack(
  archive: AsyncIterable<Uint8Array>,
  folder: string,
  options: UnpackOptions,
): Promise<void> {
  await using unpacking = new Unpacking(await open(folder, O_RDONLY | O_DIRECTORY));
  for await (const entry of readTar(archive)) {
    const path = utf8Name(entry.header.path);
    await unpacking.take(entry, namesOf(options.rename(path)), options);
  }
  await unpacking.finish();
}

class Unpacking implements AsyncDisposable {
  readonly #root: FileHandle;
  /** The folder of the entry before: archives come sorted. */
  #parent: { readonly path: string; readonly handle: FileHandle } | undefined;
  /** Directories' times are set when all is in them. */
  readonly #dated: { readonly names: readonly string[]; readonly header: TarHeader }[] = [];

  constructor(root: FileHandle) {
    this.#root = root;
  }

  async take({ header, data }: TarEntry, names: readonly string[], options: UnpackOptions): Promise<void> {
    const name = names.at(-1);
    if (name === undefined) return; // the folder itself stays as it is
    const at = inside(await this.#folderOf(names.slice(0, -1)), name);
    const shown = names.join("/");
    if (header.type === "directory") return await this.#makeFolder(header, names, at, shown);
    await makeRoom(at, shown);
    switch (header.type) {
      case "file":
        return await writeFile(header, data, at);
      case "symlink":
        await symlink(Buffer.from(header.linkPath, "latin1"), at);
        await lutimes(at, seconds(header), seconds(header));
        return;
      case "hardlink":
        return await this.#link(namesOf(options.rename(utf8Name(header.linkPath))), at);
      default:
        options.skipped(shown);
    }
  }

  async finish(): Promise<void> {
    for (const { names, header } of this.#dated.reverse()) {
      const handle = await this.#folderOf(names).catch(() => undefined);
      await handle?.utimes(seconds(header), seconds(header));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parent?.handle.close();
    await this.#root.close();
  }

  async #makeFolder(header: TarHeader, names: readonly string[], at: string, shown: string): Promise<void> {
    const before = await kindAt(at);
    if (before === "other") throw new Error(`cannot overwrite non-directory "${shown}" with directory`);
    if (before === "absent") await mkdir(at, 0o700);
    const handle = await openFolder(at, shown);
    try {
      await handle.chmod(header.mode & 0o1777);
    } finally {
      await handle.close();
    }
    this.#dated.push({ names, header });
  }

  async #link(target: readonly string[], at: string): Promise<void> {
    const name = target.at(-1);
    if (name === undefined) throw new Error("the archive has a link to its own folder");
    // The kept folder is that of the new name: this one is opened beside it.
    const handle = await this.#open(target.slice(0, -1));
    try {
      await link(inside(handle, name), at);
    } finally {
      await handle.close();
    }
  }

  /** The open folder of those names; it stays ours. */
  async #folderOf(names: readonly string[]): Promise<FileHandle> {
    if (names.length === 0) return this.#root;
    const path = names.join("/");
    if (this.#parent?.path === path) return this.#parent.handle;
    const handle = await this.#open(names);
    await this.#parent?.handle.close();
    this.#parent = { path, handle };
    return handle;
  }

  /** Goes down name by name, making what is missing. */
  async #open(names: readonly string[]): Promise<FileHandle> {
    let handle = await openFolder(`/proc/self/fd/${this.#root.fd}/.`, "");
    for (const [index, name] of names.entries()) {
      const at = inside(handle, name);
      try {
        await mkdir(at, 0o755).catch(unlessThere);
        const next = await openFolder(at, names.slice(0, index + 1).join("/"));
        await handle.close();
        handle = next;
      } catch (error) {
        await handle.close();
        throw error;
      }
    }
    return handle;
  }
}

/** A name in an open folder, wherever that has been moved since. */
function inside(folder: FileHandle, name: string): string {
  return `/proc/self/fd/${folder.fd}/${name}`;
}

async function openFolder(at: string, shown: string): Promise<FileHandle> {
  try {
    return await open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ELOOP" && code !== "ENOTDIR") throw error;
    throw new Error(`cannot copy into "${shown}": it is a symbolic link or no directory`, { cause: error });
  }
}

async function writeFile(header: TarHeader, data: AsyncIterable<Uint8Array>, at: string): Promise<void> {
  const file = await open(at, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    for await (const piece of data) await file.writeFile(piece);
    await file.chmod(header.mode & 0o777);
    await file.utimes(seconds(header), seconds(header));
  } finally {
    await file.close();
  }
}

async function makeRoom(at: string, shown: string): Promise<void> {
  const before = await kindAt(at);
  if (before === "folder") throw new Error(`cannot overwrite directory "${shown}" with non-directory`);
  if (before === "other") await unlink(at);
}

async function kindAt(at: string): Promise<"absent" | "folder" | "other"> {
  try {
    return (await lstat(at)).isDirectory() ? "folder" : "other";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "absent";
    throw error;
  }
}

function unlessThere(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
}

function seconds(header: TarHeader): number {
  return Number(header.mtimeNs) / 1e9;
}

/** The names of an archive's path. Throws for one that leaves the folder. */
function namesOf(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") names.push(name);
    else if (names.pop() === undefined) throw new Error(`${JSON.stringify(path)} is outside of the destination`);
  }
  return names;
}
