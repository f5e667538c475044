import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { chmod, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { Fault, isFault } from "#core/fault";
import { makeDiskImage, type Shim } from "#host";
import { dataFolder } from "./disk.ts";
import type { VolumeDriver } from "./driver.ts";
import { draftPrefix, makeDurably, renameDurably } from "./durable-folder.ts";
import { boundOf, isNfs, localSource } from "./local-options.ts";
import type { VolumeRecord } from "./records.ts";
import { removeTree } from "./remove-tree.ts";
import type { VolumeSource } from "./volumes.ts";

const gonePrefix = ".gone-";
const diskName = "disk.img";

/** Docker's own driver: folders `NAME/_data` of the data root, what their options have mounted in place of those, or bounded in `NAME/disk.img`. */
export class LocalDriver implements VolumeDriver {
  readonly name = "local";
  readonly #folder: string;
  readonly #shim: Shim;

  constructor(folder: string, shim: Shim) {
    this.#folder = folder;
    this.#shim = shim;
    // What is in volumes is for containers, not for the users of the host.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  }

  async create(name: string, options: VolumeRecord["options"]): Promise<void> {
    localSource(options);
    const home = this.homeOf(name);
    if (existsSync(home)) return;
    const sizeBytes = boundOf(options);
    await makeDurably(home, "_data", async (draft) => {
      if (sizeBytes !== undefined) await this.#makeDisk(draft, sizeBytes);
    });
    await chmod(this.dataOf(name), 0o755);
  }

  async #makeDisk(home: string, sizeBytes: number): Promise<void> {
    const seed = join(home, "seed");
    const data = join(seed, dataFolder);
    await mkdir(data, { recursive: true });
    await chmod(data, 0o755);
    await makeDiskImage(this.#shim, { image: join(home, diskName), seed, sizeBytes });
  }

  async remove(name: string, forget: () => Promise<void>): Promise<void> {
    const gone = join(this.#folder, `${gonePrefix}${name}`);
    await removeTree(this.#shim, gone); // of an earlier try
    if (existsSync(this.homeOf(name))) await renameDurably(this.homeOf(name), gone);
    try {
      await forget();
    } catch (error) {
      // A full disk kept its record: it stays as it was.
      if (isFault(error, "exhausted") && existsSync(gone)) await renameDurably(gone, this.homeOf(name));
      throw error;
    }
    await removeTree(this.#shim, gone);
  }

  async mount({ name, options }: VolumeRecord): Promise<VolumeSource> {
    if (boundOf(options) !== undefined) return this.diskOf(name);
    const source = localSource(options);
    if (source === undefined) return { kind: "folder", path: this.dataOf(name), flags: [] };
    if (source.kind === "folder") await mustBeThere(name, source.path);
    if (source.kind === "mount" && isNfs(source.type)) return { ...source, data: await resolveServer(source.data) };
    return source;
  }

  async unmount(): Promise<void> {}

  async look({ name, options }: VolumeRecord): ReturnType<VolumeDriver["look"]> {
    const mountpoint = this.dataOf(name);
    return boundOf(options) === undefined ? { mountpoint } : { mountpoint, status: { Disk: this.diskOf(name).image } };
  }

  /** Whether its data is in the folder `dataOf`. */
  isPlain({ driver, options }: VolumeRecord): boolean {
    return driver === this.name && Object.keys(options).length === 0;
  }

  homeOf(name: string): string {
    return join(this.#folder, name);
  }

  dataOf(name: string): string {
    return join(this.#folder, name, "_data");
  }

  /** Its own data, a folder or a disk; undefined when its options have it somewhere else. */
  ownSource(record: VolumeRecord): Extract<VolumeSource, { kind: "folder" | "disk" }> | undefined {
    if (this.isPlain(record)) return { kind: "folder", path: this.dataOf(record.name), flags: [] };
    const isBounded = record.driver === this.name && boundOf(record.options) !== undefined;
    return isBounded ? this.diskOf(record.name) : undefined;
  }

  /** Where the data of a bounded volume is. */
  diskOf(name: string): Extract<VolumeSource, { kind: "disk" }> {
    return { kind: "disk", image: join(this.homeOf(name), diskName) };
  }

  /** The options of a volume without a record, as its home tells them. */
  optionsFound(name: string): VolumeRecord["options"] {
    const disk = statSync(this.diskOf(name).image, { throwIfNoEntry: false });
    return disk === undefined ? {} : { size: String(disk.size) };
  }

  /** Removes what a crash left, and answers the names of volumes with data (or a disk) that nobody has a record of. Empty ones go: they were never answered. What cannot be removed is told, and tried again next time. */
  async clean(isKnown: (name: string) => boolean, onTrouble: (error: unknown) => void): Promise<string[]> {
    const strangers: string[] = [];
    for (const entry of await readdir(this.#folder)) {
      if (entry.startsWith(draftPrefix) || entry.startsWith(gonePrefix)) {
        await removeTree(this.#shim, join(this.#folder, entry)).catch(onTrouble);
      } else if (!isKnown(entry)) {
        const isBounded = existsSync(this.diskOf(entry).image);
        if (!isBounded && (await isEmpty(this.dataOf(entry))))
          await rm(this.homeOf(entry), { recursive: true, force: true });
        else strangers.push(entry);
      }
    }
    return strangers;
  }

  /** Whether its removal had begun: the folder is away already. */
  isHalfRemoved(name: string): boolean {
    return !existsSync(this.homeOf(name)) && existsSync(join(this.#folder, `${gonePrefix}${name}`));
  }
}

async function isEmpty(path: string): Promise<boolean> {
  return (await readdir(path).catch(() => [])).length === 0;
}

async function mustBeThere(name: string, path: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined)) !== undefined) return;
  throw new Fault("invalid", `failed to mount local volume: mount ${path}: no such file or directory`, {
    remedy: `Make the folder, or make the volume ${name} anew with another device.`,
  });
}

/** The kernel wants numbers. */
async function resolveServer(data: string): Promise<string> {
  const words = data.split(",");
  const resolved = words.map(async (word) => {
    const server = /^addr=(.*)$/.exec(word)?.[1];
    if (server === undefined || isIP(server) !== 0) return word;
    try {
      return `addr=${(await lookup(server)).address}`;
    } catch (error) {
      throw new Fault(
        "unavailable",
        `failed to mount local volume: the server ${server.slice(0, 200)} has no address`,
        {
          cause: error,
        },
      );
    }
  });
  return (await Promise.all(resolved)).join(",");
}
