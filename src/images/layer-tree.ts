import { Fault } from "#core/fault";
import type { TarHeader } from "#core/tar";

/** A directory that a layer has so far, from its own entries or as the parent of one. */
export interface LayerDirectory {
  readonly kind: "directory";
  readonly children: Map<string, LayerNode>;
  /** Its entry; undefined while only entries below it came. */
  header: TarHeader | undefined;
  /** Names that the layer removes from what is below it. */
  readonly whiteouts: Set<string>;
  /** Whether it hides the directory of that name below. */
  opaque: boolean;
}

/** What a path of a layer is so far. */
export type LayerNode =
  | LayerDirectory
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "other" };

/** A place in the layer, after symlinks: the directory and the names that lead to it. */
export interface LayerPlace {
  readonly directory: LayerDirectory;
  readonly path: readonly string[];
}

const followedLinks = 40;
/** Deeper trees cost the kernel a walk from the top for every entry, and no program makes them. */
const deepest = 400;
const bookkeepingBytes = 256 << 20;
const nodeBytes = 200;

/**
 * The paths that a layer's archive has named so far. It resolves every path inside the layer alone, symlinks included
 * and `..` never above the root, so that nothing that is extracted afterwards passes through a link; and it knows which
 * hard links point below the layer and which whiteouts meet an entry.
 */
export class LayerTree {
  readonly root: LayerDirectory = newDirectory();
  #bytes = 0;

  /** The directory at the path, with symlinks followed; missing ones are made and told to `made`. Fault `invalid` when something on the way is no directory. */
  enter(parts: readonly string[], made: (place: LayerPlace) => void): LayerPlace {
    const place = this.#walk(parts, (parent, name) => {
      const directory = newDirectory();
      this.put(parent.directory, name, directory);
      made({ directory, path: [...parent.path, name] });
      return directory;
    });
    if (place === undefined)
      throw new Fault("invalid", `archive has an entry below what is no directory: ${shown(parts)}`);
    return place;
  }

  /** The place and name of a path that the layer has itself, with symlinks in its parents followed; undefined when it has none. */
  find(parts: readonly string[]): { readonly path: readonly string[]; readonly node: LayerNode } | undefined {
    const name = parts.at(-1);
    if (name === undefined) return { path: [], node: this.root };
    const parent = this.#walk(parts.slice(0, -1), () => undefined);
    const node = parent?.directory.children.get(name);
    return parent === undefined || node === undefined ? undefined : { path: [...parent.path, name], node };
  }

  /** Sets what a name is; what was there before is gone with all below it. Fault `tooLarge` when the layer's names outgrow 256 MiB of memory. */
  put(directory: LayerDirectory, name: string, node: LayerNode): void {
    this.spend(nodeBytes + name.length + (node.kind === "symlink" ? node.target.length : 0));
    directory.children.set(name, node);
  }

  /** Accounts for memory that the archive makes us keep. */
  spend(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > bookkeepingBytes) throw new Fault("tooLarge", "archive has too many or too long names");
  }

  /** Every directory with its path, parents first. */
  *directories(): Generator<LayerPlace, void, void> {
    const places: LayerPlace[] = [{ directory: this.root, path: [] }];
    for (let place = places.pop(); place !== undefined; place = places.pop()) {
      yield place;
      for (const [name, node] of place.directory.children) {
        if (node.kind === "directory") places.push({ directory: node, path: [...place.path, name] });
      }
    }
  }

  #walk(
    parts: readonly string[],
    missing: (parent: LayerPlace, name: string) => LayerDirectory | undefined,
  ): LayerPlace | undefined {
    const stack: LayerDirectory[] = [this.root];
    const path: string[] = [];
    const todo = parts.toReversed();
    let links = 0;
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === "..") {
        if (path.pop() !== undefined) stack.pop();
        continue;
      }
      const directory = stack.at(-1) ?? this.root;
      const node = directory.children.get(name) ?? missing({ directory, path }, name);
      if (node === undefined || node.kind === "other") return undefined;
      if (node.kind === "directory") {
        stack.push(node);
        path.push(name);
        continue;
      }
      if (++links > followedLinks) throw new Fault("invalid", `archive has too many symbolic links in ${shown(parts)}`);
      if (node.target.startsWith("/")) {
        stack.length = 1;
        path.length = 0;
      }
      todo.push(...splitPath(node.target).reverse());
    }
    return { directory: stack.at(-1) ?? this.root, path };
  }
}

/** The names of a path without empty ones and `.`; `..` stays. */
export function splitPath(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** The names of an archive's path, `..` applied; absolute ones count from the layer's root. Faults: `invalid` when it leaves the root, `tooLarge` when it is deeper than 400 folders. */
export function entryPath(path: string): string[] {
  const names: string[] = [];
  for (const part of splitPath(path)) {
    if (part !== "..") names.push(part);
    else if (names.pop() === undefined)
      throw new Fault("invalid", `archive has a path that leaves its root: ${shown([path])}`);
  }
  if (names.length > deepest) throw new Fault("tooLarge", `archive has a path of more than ${deepest} folders`);
  return names;
}

function newDirectory(): LayerDirectory {
  return { kind: "directory", children: new Map(), header: undefined, whiteouts: new Set(), opaque: false };
}

function shown(parts: readonly string[]): string {
  return JSON.stringify(parts.join("/").slice(0, 200));
}
