import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { type Digest, Digester } from "#core/digest";
import { asFault } from "#core/fault";
import type { ContentDraft } from "./content.ts";

interface DraftPlace {
  readonly path: string;
  /** Where the blob is to be; undefined: it is here already. */
  readonly targetOf: (digest: Digest) => string | undefined;
  /** The draft is no more. */
  readonly release: () => void;
}

/** A blob that is being made, in a file that nobody syncs. */
export class FileDraft implements ContentDraft {
  readonly #place: DraftPlace;
  readonly #file: FileHandle;
  readonly #digester = new Digester();
  #isKept = false;

  private constructor(place: DraftPlace, file: FileHandle) {
    this.#place = place;
    this.#file = file;
  }

  static async open(place: DraftPlace): Promise<FileDraft> {
    try {
      return new FileDraft(place, await open(place.path, "wx", 0o600));
    } catch (error) {
      place.release();
      throw asFault(error);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    const written = this.#file.writeFile(bytes);
    this.#digester.update(bytes); // while the kernel takes it
    try {
      await written;
    } catch (error) {
      throw asFault(error);
    }
  }

  async keep(prepare: (digest: Digest) => void): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
    const digest = this.#digester.digest();
    prepare(digest);
    await this.#file.chmod(0o400);
    const target = this.#place.targetOf(digest);
    if (target !== undefined) await rename(this.#place.path, target);
    this.#isKept = target !== undefined;
    return { digest, sizeBytes: this.#digester.sizeBytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#file.close();
      if (!this.#isKept) await unlink(this.#place.path);
    } finally {
      this.#place.release();
    }
  }
}
