import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { chmod, chown, mkdir, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#core/fault";
import { readTar } from "#core/tar-read";
import { encodeTarHeader, tarEnd } from "#core/tar-write";
import { type MountOp, needSpace, type Shim } from "#host";
import { batch } from "#core/batch";
import { LayerTranslation } from "./layer-translation.ts";
import { syncPath } from "./publish.ts";
import { removeTree } from "./remove-tree.ts";
import { extractArgs, feedTar, readFromTar } from "./run-tar.ts";
import type { Draft, PlainTar, SnapshotDriver, WritableLayer } from "./snapshots.ts";

/** overlayfs takes 500 lower directories; one is left for showing a writable layer read-only, or for the mount points below it. */
const maxLayers = 500;
const draftPrefix = ".draft-";
const mountPoint = ".mount";
const emptyLayer = ".empty";
const mountPointsLayer = ".mount-points";
const ownFolders = new Set([mountPoint, emptyLayer, mountPointsLayer]);

/** Layers as directories under `folder` (0700), put together by overlayfs. Works on every filesystem that overlayfs takes. */
export function openOverlay(folder: string, shim: Shim): SnapshotDriver {
  for (const path of [folder, join(folder, mountPoint), join(folder, emptyLayer)]) {
    mkdirSync(path, { recursive: true, mode: path === folder ? 0o700 : 0o755 });
  }
  makeMountPoints(join(folder, mountPointsLayer));
  return new OverlayDriver(folder, shim);
}

/**
 * The lowest layer of every container: what each one gets something mounted on. An image that has these has them still;
 * for the others the runtime would make them in the writable layer, which then is empty no more (slower to remove, and
 * its users file could have been changed). `.dockerenv` is how programs tell that they are in a container.
 */
function makeMountPoints(folder: string): void {
  for (const name of ["dev", "etc", "proc", "sys"]) mkdirSync(join(folder, name), { recursive: true, mode: 0o755 });
  for (const name of [".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf"]) {
    writeFileSync(join(folder, name), "", { mode: 0o644 });
  }
  const mtab = join(folder, "etc/mtab");
  if (lstatSync(mtab, { throwIfNoEntry: false }) === undefined) symlinkSync("/proc/mounts", mtab);
}

/** What is in a writable layer is there with its bytes and under its name: it must make a layer of an image by itself. */
const wholeUpper: readonly string[] = ["redirect_dir=off", "metacopy=off"];

class OverlayDriver implements SnapshotDriver {
  /** Docker's name for this layout; clients compare it. */
  readonly name = "overlay2";
  readonly #folder: string;
  readonly #shim: Shim;
  /** Folders that somebody works on. */
  readonly #busy = new Set<string>();

  constructor(folder: string, shim: Shim) {
    this.#folder = folder;
    this.#shim = shim;
  }

  async unpack(
    tar: AsyncIterable<Uint8Array>,
    below: () => Promise<readonly string[]>,
    signal: AbortSignal,
    plain?: PlainTar,
  ): Promise<Draft> {
    await using undo = new AsyncDisposableStack();
    const name = newName();
    const home = join(this.#folder, `${draftPrefix}${name}`);
    const tree = join(home, "fs");
    // Both its names are spoken for until whoever asked for it has recorded the published one.
    this.#busy.add(name).add(`${draftPrefix}${name}`);
    undo.defer(async () => {
      await removeTree(this.#shim, home);
      this.#busy.delete(name);
      this.#busy.delete(`${draftPrefix}${name}`);
    });
    await mkdir(tree, { recursive: true, mode: 0o755 });
    await needSpace(this.#folder, 1);
    const sizeBytes =
      plain === undefined
        ? await this.#unpackTranslated(home, tar, below, signal)
        : await this.#unpackPlain(tree, tar, plain, below, signal);
    const held = undo.move();
    return {
      sizeBytes,
      publish: async (lasting) => await this.#publish(tree, name, lasting),
      [Symbol.asyncDispose]: async () => await held.disposeAsync(),
    };
  }

  async #unpackTranslated(
    home: string,
    tar: AsyncIterable<Uint8Array>,
    below: () => Promise<readonly string[]>,
    signal: AbortSignal,
  ): Promise<number> {
    const translation = new LayerTranslation();
    const entries = batch(translation.translate(tar));
    await feedTar(this.#shim, { tree: join(home, "fs"), args: extractArgs }, entries, signal);
    await this.#completeFromBelow(home, translation, below, signal);
    return translation.sizeBytes;
  }

  async #unpackPlain(
    tree: string,
    tar: AsyncIterable<Uint8Array>,
    plain: PlainTar,
    below: () => Promise<readonly string[]>,
    signal: AbortSignal,
  ): Promise<number> {
    await feedTar(this.#shim, { tree, args: extractArgs }, tar, signal);
    const [top] = await below();
    if (top !== undefined) await copyLooks(this.pathOf(top), tree);
    return plain.sizeBytes;
  }

  takeOver(tree: string, sizeBytes: number): Draft {
    const name = newName();
    this.#busy.add(name);
    return {
      sizeBytes,
      publish: async (lasting) => await this.#publish(tree, name, lasting),
      [Symbol.asyncDispose]: async () => void this.#busy.delete(name),
    };
  }

  async sync(): Promise<void> {
    await this.#syncFileSystemOf(this.#folder);
  }

  mountsAt(
    target: string,
    folders: readonly string[],
    writable?: WritableLayer | Pick<WritableLayer, "upper">,
  ): readonly MountOp[] {
    const layers =
      folders.length === 0 ? [join(this.#folder, emptyLayer)] : folders.map((folder) => this.pathOf(folder));
    if (layers.length >= maxLayers) {
      throw new Fault("unsupported", `the image has ${layers.length} layers; overlayfs takes ${maxLayers - 1}`);
    }
    if (writable !== undefined && "work" in writable) {
      return [
        {
          op: "overlay",
          target,
          lowers: layers,
          upper: writable.upper,
          work: writable.work,
          options: writable.passing === true ? [...wholeUpper, "volatile"] : wholeUpper,
        },
      ];
    }
    const lowers = writable === undefined ? layers : [writable.upper, ...layers];
    const [only] = lowers;
    // overlayfs wants two directories at least.
    if (lowers.length === 1 && only !== undefined) return [{ op: "bind", source: only, target, flags: ["ro"] }];
    return [{ op: "overlay", target, lowers, options: [] }];
  }

  rootAt(
    target: string,
    folders: readonly string[],
    writable?: WritableLayer | Pick<WritableLayer, "upper">,
  ): readonly MountOp[] {
    return this.mountsAt(target, [...folders, mountPointsLayer], writable);
  }

  pathOf(folder: string): string {
    return join(this.#folder, folder);
  }

  makeWritable({ upper, work }: WritableLayer, topFolder: string | undefined): void {
    const facts = topFolder === undefined ? undefined : statSync(this.pathOf(topFolder));
    mkdirSync(upper, { mode: 0o755 });
    mkdirSync(work, { mode: 0o700 });
    if (facts === undefined) return;
    if (facts.uid !== 0 || facts.gid !== 0) chownSync(upper, facts.uid, facts.gid);
    if ((facts.mode & 0o7777) !== 0o755) chmodSync(upper, facts.mode & 0o7777);
  }

  async remove(folder: string): Promise<void> {
    await removeTree(this.#shim, this.pathOf(folder));
  }

  async list(): Promise<string[]> {
    const names = await readdir(this.#folder);
    return names.filter((name) => !ownFolders.has(name) && !this.#busy.has(name));
  }

  /** What is to last has its own filesystem synced first: a crash of the machine leaves the layer whole or without a name. */
  async #publish(tree: string, name: string, lasting: "synced" | "unsynced"): Promise<string> {
    if (lasting === "synced") await this.#syncFileSystemOf(tree);
    await rename(tree, this.pathOf(name));
    if (lasting === "unsynced") return name;
    try {
      await syncPath(this.#folder);
    } catch (error) {
      await this.remove(name);
      throw error;
    }
    return name;
  }

  async #syncFileSystemOf(path: string): Promise<void> {
    const synced = await this.#shim.runToEnd({ argv: ["sync", "--file-system", path] });
    if (synced.code !== 0) throw new Fault("internal", `cannot sync ${path}: ${synced.stderr.trim()}`);
  }

  /** What only the layers below can tell: hard links to their files, and how directories look that the archive names only in passing. */
  async #completeFromBelow(
    home: string,
    translation: LayerTranslation,
    below: () => Promise<readonly string[]>,
    signal: AbortSignal,
  ): Promise<void> {
    const links = translation.linksBelow();
    const undescribed = translation.undescribed();
    const isRootDescribed = translation.describesRoot();
    if (links.length === 0 && undescribed.length === 0 && isRootDescribed) return;
    const lowers = await below();
    const [top] = lowers;
    const tree = join(home, "fs");
    if (top !== undefined && !isRootDescribed) await copyLooks(this.pathOf(top), tree);
    if (top !== undefined && undescribed.length > 0) await this.#describe(tree, undescribed, lowers, signal);
    if (links.length === 0) return;
    if (top === undefined)
      throw new Fault(
        "invalid",
        `archive has a hard link to what it does not hold: ${JSON.stringify(links[0]?.header.linkPath)}`,
      );
    const work = join(home, "work");
    await mkdir(work);
    const target = join(this.#folder, mountPoint);
    const entries = links.map(({ header }) => encodeTarHeader({ ...header, linkPath: `./${header.linkPath}` }));
    const mounts = this.mountsAt(target, lowers, { upper: tree, work });
    await feedTar(
      this.#shim,
      { tree: target, mounts, args: extractArgs },
      once(Buffer.concat([...entries, tarEnd])),
      signal,
    );
  }

  async #describe(
    tree: string,
    paths: readonly string[],
    lowers: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const target = join(this.#folder, mountPoint);
    const listed = readFromTar(
      this.#shim,
      { tree: target, mounts: this.mountsAt(target, lowers), args: describeArgs },
      Buffer.from(paths.map((path) => `./${path}\0`).join(""), "latin1"),
      signal,
    );
    await feedTar(this.#shim, { tree, args: extractArgs }, batch(directoriesOf(listed)), signal);
  }
}

/** Short and lower-case: a hundred such paths fit in the one page of mount options of older kernels. */
function newName(): string {
  return randomBytes(6).toString("hex");
}

/** Directories that are missing below are nothing to speak of: the archive is their only source. */
const describeArgs: readonly string[] = [
  "--create",
  "--file=-",
  "--format=pax",
  "--no-recursion",
  "--null",
  "--files-from=-",
  "--numeric-owner",
  "--xattrs",
  "--xattrs-include=*",
  "--xattrs-exclude=trusted.overlay.*",
  "--ignore-failed-read",
];

async function* directoriesOf(tar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  for await (const { header } of readTar(tar)) {
    const pax = new Map([...header.pax].filter(([keyword]) => keyword.startsWith("SCHILY.xattr.")));
    if (header.type === "directory") yield encodeTarHeader({ ...header, pax });
  }
  yield tarEnd;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}

async function copyLooks(from: string, to: string): Promise<void> {
  const facts = await stat(from);
  await chown(to, facts.uid, facts.gid);
  await chmod(to, facts.mode & 0o7777);
}
