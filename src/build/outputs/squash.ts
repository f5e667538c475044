import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import { tarHeader, type TarHeader } from "#core/tar";
import { readTar } from "#core/tar-read";
import type { Shim } from "#host";
import { decompress, type Layers, type Lease, type StackLayer } from "#images";
import { LayerWriter } from "../steps/layer-writer.ts";
import { pathNames } from "../steps/target.ts";

/** Opens a layer's plain tar; it is called twice for each. */
export type OpenLayer = () => AsyncIterable<Uint8Array>;

/** Joins layers, lowest first, into one that does to a base what they do one after the other (`--squash`). Deterministic; nothing of what later layers removed or replaced is in it. */
export async function* squashLayers(
  layers: readonly OpenLayer[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const joined = new JoinedLayers();
  for (const [number, open] of layers.entries())
    for await (const { header } of readTar(open())) joined.take(number, header);
  const writer = new LayerWriter({ remembers: false });
  for (const header of joined.removals()) writer.mark(header);
  for (const [number, open] of layers.entries()) {
    signal.throwIfAborted();
    let index = 0;
    for await (const { header, data } of readTar(open())) {
      const names = joined.namesOf(number, index++);
      for (const [at, name] of names.entries()) {
        // Its first name has the bytes; whatever had them before may be gone.
        if (at > 0) writer.header({ ...header, type: "hardlink", path: name, linkPath: names[0] ?? "", sizeBytes: 0 });
        else yield* writer.entry({ ...header, path: header.type === "directory" ? `${name}/` : name }, data);
      }
    }
  }
  yield writer.end();
}

/** Joins a stack's layers above a base and lays the joined one on it (`--squash`); undefined when there are none. */
export async function squash(
  parts: { readonly layers: Pick<Layers, "add" | "readBlob">; readonly shim: Shim },
  base: Digest | undefined,
  above: readonly StackLayer[],
  lease: Lease,
  signal: AbortSignal,
): Promise<{ readonly layer: StackLayer; readonly stack: Digest } | undefined> {
  const { layers, shim } = parts;
  if (above.length === 0) return undefined;
  const opened = above.map(
    ({ blob }) =>
      () =>
        decompress(layers.readBlob(blob.digest), shim, signal),
  );
  return await layers.add(base, squashLayers(opened, signal), lease, signal);
}

/** What a path is after the layers so far. */
interface Node {
  /** The entry that made it; undefined: a directory that no entry describes yet. */
  source: Source | undefined;
  readonly children: Map<string, Node> | undefined;
  /** The layer that it is of. */
  layer: number;
  /** A directory that hides the one below. */
  isOpaque: boolean;
  /** Names that are removed from below. */
  readonly removed: Set<string>;
}

/** An entry of a layer that is no further name of another one's file. */
interface Source {
  readonly layer: number;
  readonly index: number;
}

const mostEntries = 1_000_000;

class JoinedLayers {
  readonly #root = folder(undefined, 0);
  readonly #counts: number[] = [];
  #total = 0;
  #names: Map<Source, string[]> | undefined;
  readonly #sources = new Map<string, Source>();

  /** Takes an entry in. */
  take(layer: number, header: TarHeader): void {
    if (++this.#total > mostEntries) throw new Fault("tooLarge", `the layers have more than ${mostEntries} entries`);
    const index = this.#counts[layer] ?? 0;
    this.#counts[layer] = index + 1;
    const names = pathNames(header.path);
    const name = names.pop();
    if (name === undefined) return; // how the root looks is the base's business
    const parent = this.#enter(names, layer);
    if (name === opaqueMark) hideOlder(parent, layer);
    else if (name.startsWith(whiteoutPrefix)) remove(parent, name.slice(whiteoutPrefix.length), layer);
    else this.#place(parent, name, header, layer, index);
  }

  /** Where an entry goes: nowhere, or to its names, sorted. */
  namesOf(layer: number, index: number): readonly string[] {
    this.#names ??= this.#collect();
    const source = this.#sources.get(`${layer} ${index}`);
    return source === undefined ? [] : (this.#names.get(source) ?? []);
  }

  /** What is removed from the base: whiteouts, and marks of directories that begin anew. Below such a one nothing else is to be removed, and nothing of the base's looks is left. */
  *removals(): Generator<TarHeader, void, void> {
    const anew = new Set<string>();
    for (const [path, { children, source, isOpaque, removed }] of walk(this.#root, "")) {
      if (children === undefined) continue;
      const isBelow = anew.has(path.slice(0, Math.max(0, path.lastIndexOf("/")))) && path !== "";
      if (isBelow || isOpaque) anew.add(path);
      const inside = path === "" ? "" : `${path}/`;
      if (isBelow) {
        if (source === undefined) yield tarHeader({ type: "directory", path: inside });
      } else if (isOpaque) yield mark(`${inside}${opaqueMark}`);
      else for (const name of [...removed].toSorted()) yield mark(`${inside}${whiteoutPrefix}${name}`);
    }
  }

  #enter(names: readonly string[], layer: number): Node {
    let node = this.#root;
    for (const name of names) {
      const before = node.children?.get(name);
      const next = before?.children === undefined ? folder(undefined, layer) : before;
      if (next !== before) {
        next.isOpaque = before !== undefined || node.removed.has(name);
        node.removed.delete(name);
        node.children?.set(name, next);
      }
      next.layer = layer;
      node = next;
    }
    return node;
  }

  #place(parent: Node, name: string, header: TarHeader, layer: number, index: number): void {
    const before = parent.children?.get(name);
    const wasRemoved = parent.removed.delete(name);
    if (header.type === "directory") {
      const node = before?.children === undefined ? folder(undefined, layer) : before;
      if (node !== before) node.isOpaque = before !== undefined || wasRemoved;
      node.source = this.#source({ layer, index });
      node.layer = layer;
      parent.children?.set(name, node);
      return;
    }
    // One to a file that none of the layers has stays what it is.
    const linked = header.type === "hardlink" ? this.#linked(header.linkPath) : undefined;
    const source = linked ?? this.#source({ layer, index });
    parent.children?.set(name, { source, children: undefined, layer, isOpaque: false, removed: noNames });
  }

  #source(source: Source): Source {
    this.#sources.set(`${source.layer} ${source.index}`, source);
    return source;
  }

  #linked(path: string): Source | undefined {
    let node: Node | undefined = this.#root;
    for (const name of pathNames(path)) node = node?.children?.get(name);
    return node?.children === undefined ? node?.source : undefined;
  }

  #collect(): Map<Source, string[]> {
    const names = new Map<Source, string[]>();
    for (const [path, node] of walk(this.#root, "")) {
      if (node.source === undefined || path === "") continue;
      const known = names.get(node.source);
      if (known === undefined) names.set(node.source, [path]);
      else known.push(path);
    }
    return names;
  }
}

const whiteoutPrefix = ".wh.";
const opaqueMark = ".wh..wh..opq";
const noNames = new Set<string>();

function folder(source: Source | undefined, layer: number): Node {
  return { source, children: new Map(), layer, isOpaque: false, removed: new Set() };
}

/** A layer's marks are about the layers below it alone, in whatever order they come. */
function hideOlder(node: Node, layer: number): void {
  node.isOpaque = true;
  forgetOlder(node, layer);
}

function forgetOlder(node: Node, layer: number): void {
  node.removed.clear();
  for (const [name, child] of node.children ?? []) {
    if (child.layer < layer) node.children?.delete(name);
    else if (child.children !== undefined) forgetOlder(child, layer);
    if (child.source !== undefined && child.source.layer < layer) child.source = undefined;
  }
}

function remove(parent: Node, name: string, layer: number): void {
  const before = parent.children?.get(name);
  if (before === undefined || before.layer < layer) {
    parent.children?.delete(name);
    parent.removed.add(name);
    return;
  }
  if (before.children === undefined) return;
  hideOlder(before, layer);
  // What it looked like went with it.
  if (before.source !== undefined && before.source.layer < layer) before.source = undefined;
}

function* walk(node: Node, path: string): Generator<[string, Node], void, void> {
  const open: [string, Node][] = [[path, node]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    yield next;
    const [above, { children = noChildren }] = next;
    const sorted = [...children].sort(([a], [b]) => (a < b ? 1 : -1));
    for (const [name, child] of sorted) open.push([above === "" ? name : `${above}/${name}`, child]);
  }
}

const noChildren: ReadonlyMap<string, Node> = new Map();

function mark(path: string): TarHeader {
  return tarHeader({ type: "file", path });
}
