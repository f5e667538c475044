import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { chmod, lstat, readdir, rm } from "node:fs/promises";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { Fault } from "#core/fault";
import type { Shim } from "#host";
import type { VolumeDriver } from "./driver.ts";
import { draftPrefix, makeDurably, renameDurably } from "./durable-folder.ts";
import { isNfs, localSource } from "./local-options.ts";
import type { VolumeRecord } from "./records.ts";
import { removeTree } from "./remove-tree.ts";
import type { VolumeSource } from "./volumes.ts";

const gonePrefix = ".gone-";

/** Docker's own driver: folders `NAME/_data` of the data root, or what their options have mounted in place of those. */
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
    await makeDurably(home, "_data");
    await chmod(this.dataOf(name), 0o755);
  }

  async remove(name: string, forget: () => void): Promise<void> {
    const gone = join(this.#folder, `${gonePrefix}${name}`);
    await removeTree(this.#shim, gone); // of an earlier try
    if (existsSync(this.homeOf(name))) await renameDurably(this.homeOf(name), gone);
    forget();
    await removeTree(this.#shim, gone);
  }

  async mount({ name, options }: VolumeRecord): Promise<VolumeSource> {
    const source = localSource(options);
    if (source === undefined) return { kind: "folder", path: this.dataOf(name), flags: [] };
    if (source.kind === "folder") await mustBeThere(name, source.path);
    if (source.kind === "mount" && isNfs(source.type)) return { ...source, data: await resolveServer(source.data) };
    return source;
  }

  async unmount(): Promise<void> {}

  async look({ name }: VolumeRecord): Promise<{ readonly mountpoint: string }> {
    return { mountpoint: this.dataOf(name) };
  }

  /** Whether its data is in the volume's own folder. */
  isPlain({ driver, options }: VolumeRecord): boolean {
    return driver === this.name && Object.keys(options).length === 0;
  }

  homeOf(name: string): string {
    return join(this.#folder, name);
  }

  dataOf(name: string): string {
    return join(this.#folder, name, "_data");
  }

  /** Removes what a crash left, and answers the names of volumes with data that nobody has a record of. Empty ones go: they were never answered. What cannot be removed is told, and tried again next time. */
  async clean(isKnown: (name: string) => boolean, onTrouble: (error: unknown) => void): Promise<string[]> {
    const strangers: string[] = [];
    for (const entry of await readdir(this.#folder)) {
      if (entry.startsWith(draftPrefix) || entry.startsWith(gonePrefix)) {
        await removeTree(this.#shim, join(this.#folder, entry)).catch(onTrouble);
      } else if (!isKnown(entry)) {
        if (await isEmpty(this.dataOf(entry))) await rm(this.homeOf(entry), { recursive: true, force: true });
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
