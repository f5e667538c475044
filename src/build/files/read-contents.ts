import { createHash } from "node:crypto";
import type { FileFacts } from "./file-facts.ts";
import { type TreeProgram, unreadable } from "./tree-program.ts";

/** How many files are asked for before the first of them is there. */
const ahead = 64;
const deviceBytes = 8;

/** A file that is to be read, by its path in the tree. */
export interface WantedFile {
  readonly path: string;
  readonly facts: FileFacts;
}

/**
 * Reads plain files one after the other, asking for the next ones meanwhile. A file that is not what its facts say any more is
 * a Fault `conflict`.
 */
export class ContentReader {
  readonly #program: TreeProgram;
  readonly #files: readonly WantedFile[];
  #asked = 0;
  #at = 0;
  #current: FileContent | undefined;

  constructor(program: TreeProgram, files: readonly WantedFile[]) {
    this.#program = program;
    this.#files = files;
  }

  /** The bytes of the next file; what is left of the one before is passed over. Undefined after the last. */
  async next(): Promise<FileContent | undefined> {
    await this.#current?.finish();
    const file = this.#files[this.#at];
    if (file === undefined) return undefined;
    const wanted = Math.min(this.#files.length, this.#at + ahead);
    for (; this.#asked < wanted; this.#asked++) this.#program.ask("read", this.#files[this.#asked]?.path ?? "");
    this.#at++;
    this.#current = new FileContent(this.#program, file);
    return this.#current;
  }
}

/** The bytes of one file, once. */
export class FileContent implements AsyncIterable<Uint8Array> {
  readonly #program: TreeProgram;
  readonly #file: WantedFile;
  readonly #hash = createHash("sha256");
  #isOver = false;
  #digest: string | undefined;

  constructor(program: TreeProgram, file: WantedFile) {
    this.#program = program;
    this.#file = file;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const piece = await this.#piece();
      if (piece === undefined) return;
      yield piece;
    }
  }

  /** Reads to the end; answers the SHA-256 of all bytes. */
  async finish(): Promise<string> {
    while (!this.#isOver) await this.#piece();
    this.#digest ??= this.#hash.digest("hex");
    return this.#digest;
  }

  async #piece(): Promise<Uint8Array | undefined> {
    while (!this.#isOver) {
      const record = this.#program.ready() ?? (await this.#program.next());
      switch (record.kind) {
        case "facts":
          if (!isSame(record.facts, this.#file.facts)) throw unreadable(this.#file.path, "ESTALE");
          break;
        case "data":
          this.#hash.update(record.bytes);
          return record.bytes;
        case "end":
          this.#isOver = true;
          break;
        case "error":
          throw unreadable(this.#file.path, record.code);
      }
    }
    return undefined;
  }
}

/** Without the device: mounts that are made for each look have another one each time. */
function isSame(now: FileFacts, then: FileFacts): boolean {
  return now.inode.slice(deviceBytes) === then.inode.slice(deviceBytes) && now.version === then.version;
}
