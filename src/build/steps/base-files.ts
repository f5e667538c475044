import { Fault } from "#core/fault";
import type { TarHeader } from "#core/tar";
import { readTar } from "#core/tar-read";
import type { MountOp, Shim } from "#host";

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

/** A tree as the programs that look at it are to see it. */
export interface ShownTree {
  readonly shim: Shim;
  /** The folder that the mounts show it at. */
  readonly tree: string;
  readonly mounts: readonly MountOp[];
}

/** The files of a tree, looked at by programs for which it is all there is. Answers are remembered: the tree never changes. */
export class TreeFiles implements BaseFiles {
  readonly #shown: ShownTree;
  readonly #signal: AbortSignal;
  readonly #looked = new Map<string, BaseFile | undefined>();
  readonly #listed = new Map<string, ReadonlyMap<string, BaseFile>>();

  constructor(shown: ShownTree, signal: AbortSignal) {
    this.#shown = shown;
    this.#signal = signal;
  }

  async look(paths: readonly string[]): Promise<ReadonlyMap<string, BaseFile>> {
    const asked = paths.filter((path) => !this.#looked.has(path));
    if (asked.length > 0) {
      const found = await this.#find(asked, ["-maxdepth", "0"]);
      for (const path of asked) this.#looked.set(path, found.get(path));
    }
    return new Map(
      paths.flatMap((path) => {
        const file = this.#looked.get(path);
        return file === undefined ? [] : [[path, file]];
      }),
    );
  }

  async list(folder: string): Promise<ReadonlyMap<string, BaseFile>> {
    const known = this.#listed.get(folder);
    if (known !== undefined) return known;
    const found = await this.#find([folder], ["-mindepth", "1", "-maxdepth", "1"]);
    const files = new Map([...found].map(([path, file]) => [path.slice(path.lastIndexOf("/") + 1), file]));
    this.#listed.set(folder, files);
    return files;
  }

  async headers(folders: readonly string[]): Promise<ReadonlyMap<string, TarHeader>> {
    const headers = new Map<string, TarHeader>();
    if (folders.length === 0) return headers;
    const args = [
      ...[
        "--create",
        "--file=-",
        "--format=pax",
        "--numeric-owner",
        "--no-recursion",
        "--xattrs",
        "--xattrs-include=*",
      ],
      ...["--null", "--verbatim-files-from", "--files-from=-"],
    ];
    const archive = await this.#run(["tar", ...args], folders);
    for await (const { header } of readTar(onePiece(archive))) headers.set(plain(header.path), header);
    return headers;
  }

  async #find(paths: readonly string[], depth: readonly string[]): Promise<Map<string, BaseFile>> {
    const script = `exec find "$@" ${depth.join(" ")} -printf '%y\\0%l\\0%p\\0'`;
    const output = await this.#run(["xargs", "-0", "-r", "sh", "-c", script, "sh"], paths);
    const fields = output.toString("latin1").split("\0");
    const found = new Map<string, BaseFile>();
    for (let at = 0; at + 3 < fields.length; at += 3) {
      const [type = "", linkPath = "", path = ""] = fields.slice(at, at + 3);
      found.set(plain(path), { kind: kindOf[type] ?? "other", linkPath });
    }
    return found;
  }

  async #run(argv: readonly string[], paths: readonly string[]): Promise<Buffer> {
    const { shim, tree, mounts } = this.#shown;
    const input = Buffer.from(paths.map((path) => `./${path}\0`).join(""), "latin1");
    const ended = await shim.runToEnd({ argv, tree, mounts, input, env: { LC_ALL: "C" } }, this.#signal);
    // 1 is find's, 123 xargs' word for that: something was not there.
    if (ended.code === 0 || ended.code === 1 || ended.code === 123) return Buffer.from(ended.stdout);
    throw new Fault("internal", `cannot look at what is below the layer: ${ended.stderr.trim().slice(0, 500)}`);
  }
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(bytes);
}

const kindOf: Readonly<Record<string, BaseFile["kind"]>> = { f: "file", d: "directory", l: "symlink" };

function plain(path: string): string {
  return path.replace(/^\.\//, "").replace(/\/$/, "");
}
