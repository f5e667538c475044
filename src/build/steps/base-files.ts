import { tarHeader, type TarHeader } from "#core/tar";
import type { Shim } from "#host";
import type { FileFacts } from "../files/file-facts.ts";
import { type TreePlace, TreeProgram } from "../files/tree-program.ts";

/** What is at a path itself. */
export interface BaseFile {
  readonly kind: "file" | "directory" | "symlink" | "other";
  /** Where a symlink leads, else empty. */
  readonly linkPath: string;
}

/** The files that a layer is laid on; paths are bytes in latin1 without a slash at their start, and pass through no symlink. */
export interface BaseFiles {
  /** Of those of the paths that are there. The first of a chain that is a symlink says nothing of those below it. */
  look(paths: readonly string[]): Promise<ReadonlyMap<string, BaseFile>>;
  /** By name, what lies directly in a directory. */
  list(folder: string): Promise<ReadonlyMap<string, BaseFile>>;
  /** By path, the looks of directories that are there. */
  headers(folders: readonly string[]): Promise<ReadonlyMap<string, TarHeader>>;
}

/** Nothing at all: what a stage from scratch begins with. */
export const noFiles: BaseFiles = {
  look: async () => await Promise.resolve(new Map()),
  list: async () => await Promise.resolve(new Map()),
  headers: async () => await Promise.resolve(new Map()),
};

/** The files of a tree, looked at by a program that is started at the first question and for which the tree is all there is. Answers are remembered: the tree never changes. */
export class TreeFiles implements BaseFiles, AsyncDisposable {
  readonly #start: () => Promise<TreeProgram>;
  #program: Promise<TreeProgram> | undefined;
  readonly #looked = new Map<string, FileFacts | undefined>();
  readonly #listed = new Map<string, ReadonlyMap<string, BaseFile>>();

  constructor(shim: Shim, place: TreePlace, signal: AbortSignal) {
    this.#start = async () => await TreeProgram.start(shim, place, signal);
  }

  async look(paths: readonly string[]): Promise<ReadonlyMap<string, BaseFile>> {
    const found = new Map<string, BaseFile>();
    for (const path of paths) {
      const facts = await this.#factsOf(path);
      if (facts !== undefined) found.set(path, fileOf(facts));
    }
    return found;
  }

  async list(folder: string): Promise<ReadonlyMap<string, BaseFile>> {
    const known = this.#listed.get(folder);
    if (known !== undefined) return known;
    const program = await this.#running();
    program.ask("list", folder);
    const files = new Map<string, BaseFile>();
    for (;;) {
      const record = program.ready() ?? (await program.next());
      if (record.kind === "facts") files.set(record.facts.name, fileOf(record.facts));
      else if (record.kind !== "data") break; // at its end, or no directory
    }
    this.#listed.set(folder, files);
    return files;
  }

  async headers(folders: readonly string[]): Promise<ReadonlyMap<string, TarHeader>> {
    const found = new Map<string, TarHeader>();
    for (const path of folders) {
      const facts = await this.#factsOf(path);
      if (facts?.type !== "directory") continue;
      const { mode, uid, gid, mtimeNs, attributes } = facts;
      const pax = new Map([...attributes].map(([name, value]) => [`SCHILY.xattr.${name}`, value]));
      found.set(path, tarHeader({ type: "directory", path, mode, uid, gid, mtimeNs, pax }));
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const program = await this.#program?.catch(() => undefined);
    await program?.[Symbol.asyncDispose]();
  }

  async #factsOf(path: string): Promise<FileFacts | undefined> {
    if (this.#looked.has(path)) return this.#looked.get(path);
    const facts = await (await this.#running()).look(path);
    this.#looked.set(path, facts);
    return facts;
  }

  async #running(): Promise<TreeProgram> {
    this.#program ??= this.#start();
    return await this.#program;
  }
}

function fileOf({ type, target }: FileFacts): BaseFile {
  const isPlain = type === "file" || type === "directory" || type === "symlink";
  return { kind: isPlain ? type : "other", linkPath: target };
}
