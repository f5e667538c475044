import { ByteReader } from "#core/byte-reader";
import { Fault } from "#core/fault";
import { tarHeader, type TarHeader } from "#core/tar";
import { readTar, type TarLimits, usualTarLimits } from "#core/tar-read";
import { encodeTarHeader, tarEnd, tarPadding } from "#core/tar-write";
import { entryPath, type LayerDirectory, type LayerPlace, LayerTree } from "./layer-tree.ts";

/** A hard link to a file that only a lower layer has. */
export interface LinkBelow {
  readonly path: string;
  readonly header: TarHeader;
}

const limits: TarLimits = { ...usualTarLimits, entries: 1_000_000 };

/**
 * Turns a layer's tar from OCI form into the form that overlayfs reads, as it streams (OCI image-spec layer.md,
 * "Whiteouts"; kernel Documentation/filesystems/overlayfs.rst): `.wh.x` becomes a 0/0 character device, `.wh..wh..opq`
 * the attribute `trusted.overlay.opaque`. What comes out names every path plainly: relative, no `..`, not through a
 * symlink, with every parent directory named before. Overlay attributes that an archive brings are dropped.
 */
export class LayerTranslation {
  readonly #tree = new LayerTree();
  readonly #linksBelow = new Map<string, LinkBelow>();
  #queue: Buffer[] = [];
  /** Bytes of the files' data so far. */
  sizeBytes = 0;

  /** The translated archive; the source is read to its very end, as the DiffID is of all of it. Faults as `readTar`'s, and `invalid` for entries that leave the root. */
  async *translate(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    const reader = new ByteReader(source);
    try {
      yield* this.#entries(reader);
      while ((await reader.some(Number.MAX_SAFE_INTEGER)) !== undefined);
    } finally {
      await reader.close();
    }
  }

  async *#entries(reader: ByteReader): AsyncGenerator<Uint8Array, void, void> {
    for await (const { header, data } of readTar(reader, limits)) {
      const isKept = this.#admit(header);
      yield* this.#drain();
      if (!isKept || header.type !== "file") continue;
      yield* data;
      yield tarPadding(header.sizeBytes);
      this.sizeBytes += header.sizeBytes;
    }
    this.#hideBelow();
    yield* this.#drain();
    yield tarEnd;
  }

  /** Once translated: the hard links that need the layers below. */
  linksBelow(): LinkBelow[] {
    return [...this.#linksBelow.values()];
  }

  /** Once translated: the directories that the archive has entries in but does not describe, parents first; below it, they may look otherwise. */
  undescribed(): string[] {
    const paths: string[] = [];
    // What hides the directory below hides how it and those in it look.
    const anew = new Set<string>();
    for (const { directory, path } of this.#tree.directories()) {
      if (directory.opaque || anew.has(path.slice(0, -1).join("/"))) anew.add(path.join("/"));
      else if (directory.header === undefined && path.length > 0) paths.push(path.join("/"));
    }
    return paths;
  }

  /** Once translated: whether the archive says how its root looks. */
  describesRoot(): boolean {
    return this.#tree.root.header !== undefined;
  }

  /** Takes an entry in; whether its data belongs to the output. */
  #admit(header: TarHeader): boolean {
    const parts = entryPath(header.path);
    // What aufs kept for itself in its layers.
    if (parts.some((part) => part.startsWith(".wh..wh.") && part !== opaqueMark)) return false;
    const name = parts.at(-1);
    if (name === undefined) return this.#admitRoot(header);
    const parent = this.#tree.enter(parts.slice(0, -1), (made) => this.#emitParent(made));
    if (name === opaqueMark) {
      parent.directory.opaque = true;
      return false;
    }
    if (name.startsWith(whiteoutPrefix)) {
      this.#whiteOut(parent.directory, name.slice(whiteoutPrefix.length));
      return false;
    }
    if (header.type === "char" && header.major === 0 && header.minor === 0) {
      this.#whiteOut(parent.directory, name);
      return false;
    }
    return this.#place(header, parent, name);
  }

  #admitRoot(header: TarHeader): boolean {
    if (header.type !== "directory") throw new Fault("invalid", "archive has a root that is no directory");
    this.#tree.root.header = header;
    this.#emit({ ...header, path: "./", pax: attributesOf(header) });
    return false;
  }

  #place(header: TarHeader, parent: LayerPlace, name: string): boolean {
    const path = [...parent.path, name].join("/");
    const placed: TarHeader = { ...header, path: `./${path}`, pax: attributesOf(header) };
    this.#linksBelow.delete(path);
    if (header.type !== "directory") refuseFilled(parent.directory, name, path);
    switch (header.type) {
      case "directory":
        this.#placeDirectory(placed, parent.directory, name);
        return false;
      case "hardlink":
        this.#placeLink(placed, parent.directory, name, path);
        return false;
      case "symlink":
        if (header.linkPath === "") throw new Fault("invalid", "archive has a symbolic link to nothing");
        this.#tree.put(parent.directory, name, { kind: "symlink", target: header.linkPath });
        break;
      case "file":
      case "char":
      case "block":
      case "fifo":
        this.#tree.put(parent.directory, name, other);
        break;
    }
    this.#emit(placed);
    return true;
  }

  #placeDirectory(placed: TarHeader, parent: LayerDirectory, name: string): void {
    const before = parent.children.get(name);
    const directory: LayerDirectory =
      before?.kind === "directory"
        ? before
        : { kind: "directory", children: new Map(), header: undefined, whiteouts: new Set(), opaque: false };
    if (before !== directory) this.#tree.put(parent, name, directory);
    this.#tree.spend(
      placed.path.length + [...placed.pax].reduce((sum, [key, value]) => sum + key.length + value.length, 400),
    );
    directory.header = placed;
    this.#emit({ ...placed, path: `${placed.path}/` });
  }

  #placeLink(placed: TarHeader, parent: LayerDirectory, name: string, path: string): void {
    const target = this.#tree.find(entryPath(placed.linkPath));
    if (target === undefined) {
      const linkPath = entryPath(placed.linkPath).join("/");
      this.#tree.spend(path.length + linkPath.length + 400);
      this.#linksBelow.set(path, { path, header: { ...placed, linkPath } });
    } else {
      if (target.node.kind === "directory") throw new Fault("invalid", "archive has a hard link to a directory");
      const linkPath = target.path.join("/");
      if (linkPath === path) return; // to itself: it is there
      this.#emit({ ...placed, linkPath: `./${linkPath}` });
    }
    this.#tree.put(parent, name, target?.node ?? other);
  }

  #whiteOut(directory: LayerDirectory, name: string): void {
    if (name === "" || name === "." || name === "..") throw new Fault("invalid", "archive has a whiteout of nothing");
    this.#tree.spend(name.length + 100);
    directory.whiteouts.add(name);
  }

  /** Whiteouts come last: what the layer has itself wins over them, in whatever order they came; a directory then hides the one below. */
  #hideBelow(): void {
    for (const { directory, path } of this.#tree.directories()) {
      for (const name of directory.whiteouts) {
        const own = directory.children.get(name);
        if (own?.kind === "directory") own.opaque = true;
        if (own === undefined) this.#emit(tarHeader({ type: "char", path: `./${[...path, name].join("/")}`, mode: 0 }));
      }
    }
    for (const { directory, path } of this.#tree.directories()) {
      if (!directory.opaque) continue;
      const header = directory.header ?? tarHeader({ type: "directory", path: "." });
      this.#emit({
        ...header,
        path: `./${path.map((part) => `${part}/`).join("")}`,
        pax: new Map([...attributesOf(header), [`${attributePrefix}trusted.overlay.opaque`, "y"]]),
      });
    }
  }

  #emitParent({ path }: LayerPlace): void {
    const name = path.join("/");
    this.#tree.spend(2 * name.length); // its path may be listed as undescribed
    this.#emit(tarHeader({ type: "directory", path: `./${name}/` }));
  }

  #emit(header: TarHeader): void {
    this.#queue.push(encodeTarHeader(header));
  }

  #drain(): Buffer[] {
    const queue = this.#queue;
    this.#queue = [];
    return queue;
  }
}

const whiteoutPrefix = ".wh.";
const opaqueMark = ".wh..wh..opq";
const attributePrefix = "SCHILY.xattr.";
const other = { kind: "other" } as const;

/** A directory may become something else within a layer only while it is empty; no tool makes such layers. */
function refuseFilled(parent: LayerDirectory, name: string, path: string): void {
  const before = parent.children.get(name);
  if (before?.kind === "directory" && before.children.size > 0) {
    throw new Fault(
      "invalid",
      `archive replaces a directory that it has filled: ${JSON.stringify(path.slice(0, 200))}`,
    );
  }
}

/** The extended attributes of an entry, without overlay's own. */
function attributesOf(header: TarHeader): ReadonlyMap<string, string> {
  if (header.pax.size === 0) return header.pax;
  return new Map(
    [...header.pax].filter(
      ([keyword]) => keyword.startsWith(attributePrefix) && !keyword.startsWith(`${attributePrefix}trusted.overlay.`),
    ),
  );
}
