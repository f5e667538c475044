import { Fault } from "#core/fault";
import { type TarHeader, utf8Name } from "#core/tar";
import type { TarEntry } from "#core/tar-read";
import { encodeTarHeader, tarEnd, tarPadding } from "#core/tar-write";
import type { BaseFiles } from "./base-files.ts";
import { notDirectory } from "./target.ts";

const batchBytes = 1 << 17;

/** Writes a layer's tar in large pieces: small files are many, and a turn of the loop for each of their blocks is what would cost most. */
export class LayerWriter {
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** By path, what has been written; kept only where something could be in the way of it. */
  readonly #kinds: Map<string, "directory" | "other"> | undefined;

  constructor(options: { readonly remembers: boolean }) {
    this.#kinds = options.remembers ? new Map() : undefined;
  }

  /** An entry without data. */
  header(header: TarHeader): void {
    refuseWhiteout(header.path);
    this.#remember(header);
    this.#push(encodeTarHeader(header));
  }

  /** A mark that removes something below. */
  mark(header: TarHeader): void {
    this.#push(encodeTarHeader(header));
  }

  /** An entry with its data; yields what is ready. */
  async *entry(header: TarHeader, data: TarEntry["data"]): AsyncGenerator<Uint8Array, void, void> {
    this.header(header);
    if (header.type === "file" && header.sizeBytes > 0) {
      let sizeBytes = 0;
      for await (const piece of data) {
        sizeBytes += piece.length;
        this.#push(piece);
        if (this.isFull) yield this.take();
      }
      if (sizeBytes !== header.sizeBytes) throw changed(header.path);
      this.#push(tarPadding(sizeBytes));
    }
    if (this.isFull) yield this.take();
  }

  get isFull(): boolean {
    return this.#waitingBytes >= batchBytes;
  }

  /** What waits, as one piece. */
  take(): Uint8Array {
    const piece = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    return piece;
  }

  /** The last piece, with the end of the archive. */
  end(): Uint8Array {
    this.#push(tarEnd);
    return this.take();
  }

  /** Compares what has been written below a directory with what is there. Fault `invalid` where a file meets a directory, or a directory something else. */
  async refuseCollisions(base: BaseFiles, folder: string): Promise<void> {
    const children = new Map<string, string[]>();
    for (const path of this.#kinds?.keys() ?? []) {
      const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
      const siblings = children.get(parent);
      if (siblings === undefined) children.set(parent, [path]);
      else siblings.push(path);
    }
    for (let folders = [folder]; folders.length > 0;) {
      const paths = folders.flatMap((path) => children.get(path) ?? []);
      const found = paths.length === 0 ? new Map<string, never>() : await base.look(paths);
      folders = [];
      for (const [path, { kind }] of found) {
        const own = this.#kinds?.get(path);
        if (own === "directory" && kind !== "directory") throw notDirectory(path);
        if (own === "other" && kind === "directory") throw isDirectory(path);
        if (own === "directory") folders.push(path);
      }
    }
  }

  #remember({ path, type }: TarHeader): void {
    if (this.#kinds === undefined) return;
    const plain = path.endsWith("/") ? path.slice(0, -1) : path;
    const kind = type === "directory" ? "directory" : "other";
    const before = this.#kinds.get(plain);
    if (before === "other" && kind === "directory") throw notDirectory(plain);
    if (before === "directory" && kind === "other") throw isDirectory(plain);
    this.#kinds.set(plain, kind);
  }

  #push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }
}

function isDirectory(path: string): Fault {
  return new Fault("invalid", `cannot replace to directory /${utf8Name(path)} with file`, {
    remedy: "Choose another target, or remove the directory in a step before.",
  });
}

function changed(path: string): Fault {
  return new Fault("conflict", `the file changed while it was copied: /${utf8Name(path)}`, { remedy: "Build again." });
}

/** In a layer such a name means a removed file (OCI image-spec layer.md, "Whiteouts"). */
function refuseWhiteout(path: string): void {
  if (!path.includes(".wh.") || !/(?:^|\/)\.wh\./.test(path)) return;
  throw new Fault(
    "invalid",
    `cannot copy the file ${JSON.stringify(utf8Name(path).slice(0, 200))}: in an image its name means a removed file`,
    { remedy: "Rename it, or exclude it with --exclude or .dockerignore." },
  );
}
