import { dirname } from "node:path/posix";
import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import { utf8Name } from "#core/tar";
import { readTar, type TarLimits, usualTarLimits } from "#core/tar-read";
import type { ContentStore } from "./content.ts";
import { entryPath } from "./layer-tree.ts";
import type { Lease } from "./leases.ts";

/** A file of an archive of images, in the content store. */
export interface StagedFile {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

const limits: TarLimits = { ...usualTarLimits, entries: 20_000 };
const followedLinks = 8;

/** The files of an archive of images by path. They come in any order and of any size: each goes to the content store under the lease, none into memory. */
export class StagedArchive {
  readonly #files = new Map<string, StagedFile>();
  readonly #links = new Map<string, string>();

  /** Reads the whole archive. Faults as `readTar`'s; `tooLarge` beyond 20,000 entries. */
  static async read(
    tar: AsyncIterable<Uint8Array>,
    content: ContentStore,
    lease: Lease,
    signal: AbortSignal,
  ): Promise<StagedArchive> {
    const staged = new StagedArchive();
    for await (const { header, data } of readTar(tar, limits)) {
      signal.throwIfAborted();
      const path = entryPath(utf8Name(header.path)).join("/");
      if (header.type === "file") staged.#files.set(path, await content.put(data, (digest) => lease.protect(digest)));
      if (header.type === "symlink") staged.#links.set(path, `${dirname(path)}/${utf8Name(header.linkPath)}`);
      if (header.type === "hardlink") staged.#links.set(path, utf8Name(header.linkPath));
    }
    return staged;
  }

  /** The file at a path that the archive's own documents name; links among its entries are followed. */
  find(path: string): StagedFile | undefined {
    let at = path;
    for (let hops = 0; hops < followedLinks; hops++) {
      const name = entryPath(at).join("/");
      const file = this.#files.get(name);
      if (file !== undefined) return file;
      const target = this.#links.get(name);
      if (target === undefined) return undefined;
      at = target;
    }
    throw new Fault("invalid", `archive has too many links at ${JSON.stringify(path.slice(0, 200))}`);
  }
}
