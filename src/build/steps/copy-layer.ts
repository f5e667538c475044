import type { TarHeader } from "#core/tar";
import { readTar } from "#core/tar-read";
import type { Shim } from "#host";
import { decompress } from "#images";
import { bytesOf } from "../files/byte-path.ts";
import type { SelectedItem } from "../files/files.ts";
import { ArchiveRoot, isArchive } from "./archive.ts";
import type { BaseFiles } from "./base-files.ts";
import type { ModeChange } from "./chmod.ts";
import { LayerWriter } from "./layer-writer.ts";
import type { Owner } from "./owner.ts";
import { findTarget, keptAttributes, madeFolder, notDirectory, type Target, wholeSeconds } from "./target.ts";

/** One thing to copy. */
export interface CopySource {
  readonly item: SelectedItem;
  /** Put what is in it in its place if it is an archive. */
  readonly unpack: boolean;
}

/** COPY or ADD, all of it resolved. */
export interface CopyOrder {
  /** At least one; later ones win. */
  readonly sources: readonly CopySource[];
  /** Absolute; a slash at its end says that it is a directory. */
  readonly target: string;
  readonly owner?: Owner;
  readonly chmod?: ModeChange;
  /** Of directories that no source has. */
  readonly timeNs: bigint;
  /** Later times become this one; all are of whole seconds. */
  readonly latestNs?: bigint;
}

/** What a copy is laid on (nothing, with `--link`), and who unpacks. */
export interface CopyGround {
  readonly base: BaseFiles;
  readonly shim: Shim;
}

/**
 * The layer that COPY or ADD makes, by BuildKit's rules (solver/llbsolver/file, fsutil/copy). A directory's contents go
 * into the target, which keeps its looks; directories below it that were there take the looks of those that are copied.
 * Directories that lead to the target are entries too, as they are below, so that whoever unpacks the layer keeps them.
 * Faults: `invalid` where a file and a directory meet, for archives that lead out of the target, for names that would remove files.
 */
export async function* copyLayer(
  order: CopyOrder,
  ground: CopyGround,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { base } = ground;
  const target = await findTarget(base, order.target);
  const archives = new Set<CopySource>();
  for (const source of order.sources)
    if (source.unpack && (await isArchive(source.item, ground.shim, signal))) archives.add(source);
  const intoFolder = goesIntoFolder(order, target, archives);
  if (intoFolder && target.kind === "other") throw notDirectory(target.path);
  const mayCollide = target.kind === "directory" || order.sources.length > 1;
  const copy = new Copy(
    order,
    target,
    intoFolder,
    base,
    new LayerWriter({ remembers: mayCollide && archives.size === 0 }),
  );
  for (const source of order.sources) {
    signal.throwIfAborted();
    if (archives.has(source)) yield* copy.unpack(source.item, ground.shim, signal);
    else yield* copy.item(source.item, signal);
  }
  yield await copy.end();
}

function goesIntoFolder(order: CopyOrder, target: Target, archives: ReadonlySet<CopySource>): boolean {
  return (
    target.kind === "directory" ||
    /(?:^|\/)\.{0,2}$/.test(order.target) ||
    order.sources.length > 1 ||
    order.sources.some((source) => source.item.kind === "directory" || archives.has(source))
  );
}

class Copy {
  readonly #order: CopyOrder;
  readonly #target: Target;
  readonly #intoFolder: boolean;
  readonly #base: BaseFiles;
  readonly #writer: LayerWriter;
  #isOpen = false;

  constructor(order: CopyOrder, target: Target, intoFolder: boolean, base: BaseFiles, writer: LayerWriter) {
    this.#order = order;
    this.#target = target;
    this.#intoFolder = intoFolder;
    this.#base = base;
    this.#writer = writer;
  }

  async *item(item: SelectedItem, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const isContents = item.kind === "directory";
    const place = isContents || !this.#intoFolder ? this.#target.path : join(this.#target.path, bytesOf(item.name));
    for await (const { header, data } of item.entries(signal)) {
      if (header.path === "" && isContents) {
        this.#open(header.mtimeNs);
        continue;
      }
      this.#open();
      const path = header.path === "" ? place : join(place, header.path);
      const entry = this.#fit(header, path, place);
      yield* this.#writer.entry(entry, data);
    }
  }

  async *unpack(item: SelectedItem, shim: Shim, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    this.#open();
    const { owner, timeNs } = this.#order;
    const root = new ArchiveRoot(this.#base, this.#target.path, (path) => madeFolder(path, undefined, timeNs));
    for await (const { data: packed } of item.entries(signal)) {
      for await (const { header, data } of readTar(decompress(packed, shim, signal))) {
        const entries = await root.place({ ...header, ...owner, mtimeNs: this.#clamped(header.mtimeNs) });
        for (const entry of entries) yield* this.#writer.entry(entry, data);
      }
      return;
    }
  }

  async end(): Promise<Uint8Array> {
    this.#open();
    if (this.#target.kind === "directory") await this.#writer.refuseCollisions(this.#base, this.#target.path);
    return this.#writer.end();
  }

  /** The directories that lead to the target, and the target if it is one: before the first thing in it. */
  #open(mtimeNs?: bigint): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    const { path, existing, missing, kind } = this.#target;
    const { owner, timeNs } = this.#order;
    for (const header of existing)
      this.#writer.header(
        header.path === `${path}/` && mtimeNs !== undefined ? { ...header, mtimeNs: this.#clamped(mtimeNs) } : header,
      );
    for (const folder of missing) this.#writer.header(madeFolder(folder, owner, timeNs));
    if (kind === "missing" && this.#intoFolder && path !== "")
      this.#writer.header(madeFolder(path, owner, mtimeNs === undefined ? timeNs : this.#clamped(mtimeNs)));
  }

  #fit(header: TarHeader, path: string, place: string): TarHeader {
    const { owner, chmod } = this.#order;
    const isFolder = header.type === "directory";
    return {
      ...header,
      path: isFolder ? `${path}/` : path,
      mode: chmod === undefined || header.type === "symlink" ? header.mode : chmod(header.mode, isFolder),
      uid: owner?.uid ?? header.uid,
      gid: owner?.gid ?? header.gid,
      mtimeNs: this.#clamped(header.mtimeNs),
      linkPath: header.type === "hardlink" ? join(place, header.linkPath) : header.linkPath,
      userName: "",
      groupName: "",
      pax: keptAttributes(header.pax),
    };
  }

  #clamped(timeNs: bigint): bigint {
    const { latestNs } = this.#order;
    return wholeSeconds(latestNs !== undefined && timeNs > latestNs ? latestNs : timeNs);
  }
}

/** The tar of a directory and those above it that are not there, for WORKDIR; undefined when it is there. Fault `invalid` when something else is. */
export async function folderLayer(
  path: string,
  owner: Owner | undefined,
  timeNs: bigint,
  base: BaseFiles,
): Promise<Uint8Array | undefined> {
  const target = await findTarget(base, path);
  if (target.kind === "directory") return undefined;
  if (target.kind === "other") throw notDirectory(target.path);
  const writer = new LayerWriter({ remembers: false });
  for (const header of target.existing) writer.header(header);
  for (const folder of [...target.missing, target.path]) writer.header(madeFolder(folder, owner, timeNs));
  return writer.end();
}

function join(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}
