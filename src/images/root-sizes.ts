import type { Shim } from "#host";
import type { Catalog } from "./catalog.ts";
import { folderSizes } from "./folder-sizes.ts";
import type { ListedTree } from "./list-tree.ts";

/** A container whose writable layer is to be measured. */
export interface AskedRoot {
  readonly container: string;
  /** Nobody writes to it now, and whoever is going to asks for its mounts first: what is measured is kept. */
  readonly settled: boolean;
}

/** What the sizes are taken from. */
export interface RootSizesParts {
  readonly catalog: Catalog;
  readonly shim: Shim;
  /** Where plain roots are: `<container>/upper`. */
  readonly folder: string;
  /** What was written: a plain folder there, or a tree that mounts make. */
  readonly treeOf: (container: string) => ListedTree;
  readonly isUntouched: (container: string) => boolean;
}

/** Programs at once; more only compete for the disk. */
const atOnce = 4;

/**
 * Sizes of containers' writable layers, exact and quick: what nobody can write to is measured once and kept, durably, until
 * its mounts are asked for again; what is written to is measured anew, many of them by one program.
 */
export class RootSizes {
  readonly #parts: RootSizesParts;
  /** How often the mounts of a root that is being measured were asked for meanwhile. */
  readonly #measured = new Map<string, Set<{ changed: boolean }>>();

  constructor(parts: RootSizesParts) {
    this.#parts = parts;
  }

  /** Whoever writes to the root says so before. */
  changes(container: string): void {
    for (const look of this.#measured.get(container) ?? []) look.changed = true;
    this.#parts.catalog.forgetRootSize(container);
  }

  /** The sizes by container; those without a root are left out. */
  async measure(asked: readonly AskedRoot[]): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    const unknown: AskedRoot[] = [];
    const kept = this.#parts.catalog.rootSizes(asked.length === 1 ? asked[0]?.container : undefined);
    for (const root of asked) {
      const keptBytes = kept.get(root.container);
      if (keptBytes === undefined) continue;
      if (keptBytes !== null) sizes.set(root.container, keptBytes);
      else if (this.#parts.isUntouched(root.container)) sizes.set(root.container, 0);
      else unknown.push(root);
    }
    const isPlain = ({ container }: AskedRoot): boolean => (this.#parts.treeOf(container).mounts ?? []).length === 0;
    const plain = unknown.filter(isPlain);
    const share = Math.max(8, Math.ceil(plain.length / atOnce));
    const shares = [
      ...Array.from({ length: Math.ceil(plain.length / share) }, (_, index) =>
        plain.slice(index * share, (index + 1) * share),
      ),
      ...unknown.filter((root) => !isPlain(root)).map((root) => [root]),
    ];
    for (const measured of await Promise.all(shares.map(async (roots) => await this.#measureShare(roots))))
      for (const [container, sizeBytes] of measured) sizes.set(container, sizeBytes);
    return sizes;
  }

  async #measureShare(roots: readonly AskedRoot[]): Promise<ReadonlyMap<string, number>> {
    const looks = new Map(roots.map(({ container }) => [container, { changed: false }] as const));
    for (const [container, look] of looks) {
      const open = this.#measured.get(container) ?? new Set();
      this.#measured.set(container, open.add(look));
    }
    try {
      const sizes = await this.#sizesOf([...looks.keys()]);
      const lasting = roots.filter(({ container, settled }) => settled && looks.get(container)?.changed === false);
      this.#parts.catalog.keepRootSizes(lasting.map(({ container }) => [container, sizes.get(container) ?? 0]));
      return sizes;
    } finally {
      for (const [container, look] of looks) {
        const open = this.#measured.get(container);
        open?.delete(look);
        if (open?.size === 0) this.#measured.delete(container);
      }
    }
  }

  /** As `docker ps -s` counts them. One that is not plain comes alone. */
  async #sizesOf(containers: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const { shim, folder, treeOf } = this.#parts;
    const [first] = containers;
    const own = first === undefined ? undefined : treeOf(first);
    if (first !== undefined && own !== undefined && (own.mounts ?? []).length > 0)
      return new Map([[first, (await folderSizes(shim, own, ["."])).get(".") ?? 0]]);
    const uppers = containers.map((container) => `${container}/upper`);
    const sizes = await folderSizes(shim, { tree: folder }, uppers);
    return new Map(containers.map((container) => [container, sizes.get(`${container}/upper`) ?? 0]));
  }
}
