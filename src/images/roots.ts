import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "#core/digest";
import { Fault, isFault } from "#core/fault";
import { GroupSync, makeDiskImage, type MountOp, type Shim } from "#host";
import type { Catalog, ImageRecord, LayerRecord } from "./catalog.ts";
import type { RootFilesystem } from "./images.ts";
import type { ListedTree } from "./list-tree.ts";
import type { ChangedRoot } from "./root-changes.ts";
import { syncPath } from "./publish.ts";
import { removeEmpty, removeTree } from "./remove-tree.ts";
import { RootSizes } from "./root-sizes.ts";
import type { SnapshotDriver, WritableLayer } from "./snapshots.ts";

/** What the roots work with. */
export interface RootParts {
  readonly catalog: Catalog;
  readonly snapshots: SnapshotDriver;
  readonly shim: Shim;
  /** `roots/<container>/{upper,work}`, on one filesystem with nothing else needed; those two in `disk/` where `disk.img` bounds them. */
  readonly folder: string;
}

const gonePrefix = ".gone-";
const draftPrefix = ".new-";

/** The writable layers of containers. A root's record is its hold on the image and on the layers. */
export class Roots {
  readonly sizes: RootSizes;
  readonly #parts: RootParts;
  readonly #sync: GroupSync;
  /** Their folders are gone; a full disk kept their records, and with them their holds. */
  readonly #owed = new Set<string>();

  constructor(parts: RootParts) {
    this.#parts = parts;
    this.#sync = new GroupSync(async () => await syncPath(parts.folder));
    this.sizes = new RootSizes({
      ...parts,
      treeOf: (container) => this.upperOf(container),
      isUntouched: (container) => this.isUntouched(container),
    });
    mkdirSync(parts.folder, { recursive: true, mode: 0o700 });
  }

  /** Where they all are. */
  get folder(): string {
    return this.#parts.folder;
  }

  /**
   * Makes the writable layer over an image's layers, or over those of no image: nobody keeps what is in it then. The hold comes first,
   * so a kill in between leaves a root without folders, which `openRoot` refuses and `drop` forgets. It gets its name when all of it
   * is there: that name on the disk (`settle`) says that the rest is.
   */
  async create(
    { id: image, topChain }: Pick<ImageRecord, "topChain"> & { readonly id?: Digest },
    container: string,
    sizeBytes?: number,
  ): Promise<RootFilesystem> {
    checkName(container);
    const { catalog, snapshots } = this.#parts;
    const stack = catalog.stack(topChain);
    catalog.addRoot({ container, image, topChain });
    const draft = join(this.#parts.folder, `${draftPrefix}${container}`);
    try {
      mkdirSync(draft, { mode: 0o700 });
      if (sizeBytes === undefined) snapshots.makeWritable(foldersIn(draft), stack[0]?.folder);
      else await this.#makeDisk(draft, sizeBytes, stack[0]?.folder);
      renameSync(draft, this.#homeOf(container));
      return this.#root(container, stack);
    } catch (error) {
      await removeTree(this.#parts.shim, draft);
      await this.drop(container);
      throw error;
    }
  }

  /** Resolves when the writable layers that were made before are on the disk. */
  async settle(): Promise<void> {
    await this.#sync.sync();
  }

  /** The root of a container. Fault `notFound` when it has none. */
  open(container: string): RootFilesystem {
    const root = this.#parts.catalog.root(container);
    if (root === undefined) throw new Fault("notFound", `container ${container} has no root filesystem`);
    return this.#root(container, this.#parts.catalog.stack(root.topChain));
  }

  /** The layers below a container's root, topmost first. */
  foldersOf(container: string): string[] {
    const root = this.#parts.catalog.root(container);
    return root === undefined ? [] : this.#parts.catalog.stack(root.topChain).map((layer) => layer.folder);
  }

  /** The folder of a writable layer that has no bound. */
  plainUpperOf(container: string): string {
    const { upper, disk } = this.#writableOf(container);
    if (disk.length > 0) throw new Error(`the writable layer of ${container} is a file system of its own`);
    return upper;
  }

  /** What a container's root stands on. */
  topOf(container: string): { readonly topChain: Digest | undefined } | undefined {
    return this.#parts.catalog.root(container);
  }

  /** The image that a container's root holds. */
  imageOf(container: string): Digest | undefined {
    return this.#parts.catalog.root(container)?.image;
  }

  /** Whether nothing was written to the container's layer. */
  isUntouched(container: string): boolean {
    try {
      const { upper, disk } = this.#writableOf(container);
      return disk.length === 0 && readdirSync(upper).length === 0;
    } catch {
      return false;
    }
  }

  /** Mounts that show the container's root as it is, read-only, also while it runs. */
  shownAt(container: string, target: string): readonly MountOp[] {
    const { upper, disk } = this.#writableOf(container);
    return [...disk, ...this.#parts.snapshots.mountsAt(target, this.foldersOf(container), { upper })];
  }

  /** What `rootChanges` compares. */
  viewsAt(container: string, target: string): ChangedRoot {
    const { snapshots } = this.#parts;
    const { upper, disk } = this.#writableOf(container);
    const folders = this.foldersOf(container);
    return {
      upper: this.upperOf(container),
      before: { tree: target, mounts: snapshots.rootAt(target, folders) },
      now: { tree: target, mounts: [...disk, ...snapshots.rootAt(target, folders, { upper })] },
    };
  }

  /** What was written: the files of the writable layer. */
  upperOf(container: string): ListedTree {
    const { upper, disk } = this.#writableOf(container);
    return { tree: upper, mounts: disk };
  }

  /** Removes the writable layer and the hold; whether layers may have come free by it. */
  async drop(container: string): Promise<boolean> {
    checkName(container);
    const { catalog, shim } = this.#parts;
    const home = this.#homeOf(container);
    const held = catalog.root(container);
    const wasQuick = this.#removeUntouched(container);
    const gone = join(this.#parts.folder, `${gonePrefix}${container}`);
    if (!wasQuick) moveAside(home, gone);
    this.#owed.add(container);
    catalog.removeRoot(container);
    this.#owed.delete(container);
    if (!wasQuick) await removeTree(shim, gone);
    // Of a root over no image somebody else keeps what it stood on, or collects it.
    return held?.image !== undefined && catalog.image(held.image) === undefined;
  }

  /** Takes the records that a full disk kept out now, if there is room: before somebody asks what is held. */
  dropOwed(): void {
    try {
      for (const container of this.#owed) {
        this.#parts.catalog.removeRoot(container);
        this.#owed.delete(container);
      }
    } catch (error) {
      if (!isFault(error, "exhausted")) throw error;
    }
  }

  /** Whether the writable layer is there, and not only its record. */
  isThere(container: string): boolean {
    return this.#parts.catalog.root(container) !== undefined && existsSync(this.#homeOf(container));
  }

  /** The containers whose roots have been there for ten minutes: no creation of them is under way. */
  settled(): string[] {
    return this.#parts.catalog.rootContainers().filter((container) => {
      const facts = statSync(this.#homeOf(container), { throwIfNoEntry: false });
      return facts === undefined || Date.now() - facts.mtimeMs > 600_000;
    });
  }

  /** Drops the roots of containers that do not live, and what a kill left of dropped ones. */
  async dropAllBut(live: ReadonlySet<string>): Promise<void> {
    for (const container of this.#parts.catalog.rootContainers()) if (!live.has(container)) await this.drop(container);
    for (const name of await readdir(this.#parts.folder)) {
      if (this.#parts.catalog.root(name) === undefined)
        await removeTree(this.#parts.shim, join(this.#parts.folder, name));
    }
  }

  #root(container: string, stack: readonly LayerRecord[]): RootFilesystem {
    const { snapshots } = this.#parts;
    const passing = this.imageOf(container) === undefined;
    const writable = { ...this.#writableOf(container), passing };
    const folders = stack.map((layer) => layer.folder);
    return {
      mountsAt: (target) => {
        this.sizes.changes(container);
        return [...writable.disk, ...snapshots.rootAt(target, folders, writable)];
      },
      shownAt: (target) => [...writable.disk, ...snapshots.rootAt(target, folders, { upper: writable.upper })],
      driver: {
        name: snapshots.name,
        data: {
          ID: container,
          LowerDir: folders.map((folder) => snapshots.pathOf(folder)).join(":"),
          MergedDir: join(this.#homeOf(container), "merged"),
          UpperDir: writable.upper,
          WorkDir: writable.work,
          ...(writable.disk.length > 0 && { Disk: this.#imageOf(container) }),
        },
      },
    };
  }

  /** Most containers write nothing: their folders go without starting a program. overlayfs leaves an empty `work/work`, with the mark of a passing one in it. */
  #removeUntouched(container: string): boolean {
    const { upper, work } = this.#writableOf(container);
    const made = ["work/incompat/volatile", "work/incompat", "work"].map((name) => join(work, name));
    return [upper, ...made, work, this.#homeOf(container)].every(removeEmpty);
  }

  #homeOf(container: string): string {
    return join(this.#parts.folder, container);
  }

  #imageOf(container: string): string {
    return join(this.#homeOf(container), "disk.img");
  }

  /** The layer, and the mount that must come before it where it is bounded. */
  #writableOf(container: string): WritableLayer & { readonly disk: readonly MountOp[] } {
    const [home, image] = [this.#homeOf(container), this.#imageOf(container)];
    if (!existsSync(image)) return { ...foldersIn(home), disk: [] };
    const target = join(home, "disk");
    return { ...foldersIn(target), disk: [{ op: "disk", image, target }] };
  }

  /** A file system of that size with the layer's two folders. */
  async #makeDisk(home: string, sizeBytes: number, topFolder: string | undefined): Promise<void> {
    const { snapshots, shim } = this.#parts;
    const seed = join(home, "seed");
    await mkdir(seed, { mode: 0o755 });
    snapshots.makeWritable(foldersIn(seed), topFolder);
    await mkdir(join(home, "disk"), { mode: 0o700 });
    await makeDiskImage(shim, { image: join(home, "disk.img"), seed, sizeBytes });
  }
}

function foldersIn(home: string): WritableLayer {
  return { upper: join(home, "upper"), work: join(home, "work") };
}

function checkName(container: string): void {
  if (!/^[A-Za-z0-9][\w.-]*$/.test(container))
    throw new Fault("invalid", `${JSON.stringify(container)} cannot be a container's id`);
}

function moveAside(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
