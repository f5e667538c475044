import { type FileHandle, open, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { type Digest, Digester } from "#core/digest";
import { asFault, Fault } from "#core/fault";
import { needSpace } from "#host";
import type { Ingest } from "./content.ts";
import { publish } from "./publish.ts";

interface IngestPlace {
  readonly path: string;
  readonly target: string;
  readonly digest: Digest;
  readonly expectedSizeBytes: number | undefined;
  /** Lets the next writer of this digest go on. */
  readonly release: () => void;
}

const checkedEveryBytes = 32 << 20;

/** An ingest in a file that bears the digest, so that a later try finds it. */
export class FileIngest implements Ingest {
  readonly #place: IngestPlace;
  readonly #file: FileHandle;
  readonly #digester: Digester;
  readonly offsetBytes: number;
  #untilCheckBytes = 0;
  #closed = false;

  private constructor(place: IngestPlace, file: FileHandle, digester: Digester) {
    this.#place = place;
    this.#file = file;
    this.#digester = digester;
    this.offsetBytes = digester.sizeBytes;
  }

  static async open(place: IngestPlace): Promise<FileIngest> {
    const file = await open(place.path, "a+", 0o600);
    try {
      const digester = await digestFile(file, place.expectedSizeBytes);
      return new FileIngest(place, file, digester);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { expectedSizeBytes, path } = this.#place;
    if (expectedSizeBytes !== undefined && this.#digester.sizeBytes + bytes.length > expectedSizeBytes) {
      throw new Fault("internal", `more bytes came for ${this.#place.digest} than the ${expectedSizeBytes} expected`);
    }
    this.#untilCheckBytes -= bytes.length;
    if (this.#untilCheckBytes <= 0) {
      await needSpace(dirname(path), checkedEveryBytes);
      this.#untilCheckBytes = checkedEveryBytes;
    }
    const written = this.#file.appendFile(bytes);
    this.#digester.update(bytes); // while the disk takes it
    try {
      await written;
    } catch (error) {
      throw asFault(error);
    }
  }

  async commit(): Promise<void> {
    const { digest, expectedSizeBytes, path, target } = this.#place;
    const sizeBytes = this.#digester.sizeBytes;
    const actual = this.#digester.digest();
    if (actual !== digest || (expectedSizeBytes !== undefined && sizeBytes !== expectedSizeBytes)) {
      await this.discard();
      throw new Fault(
        "internal",
        `filesystem layer verification failed for digest ${digest}: got ${actual} of ${sizeBytes} bytes`,
        {
          remedy: "What was received differs from what was announced; nothing of it is kept. Try again.",
        },
      );
    }
    try {
      await publish(this.#file, path, target);
    } catch (error) {
      throw asFault(error);
    }
    await this.#close();
  }

  async discard(): Promise<void> {
    if (!this.#closed) await unlink(this.#place.path);
    await this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#file.close();
    } finally {
      this.#place.release();
    }
  }
}

/** The ingest of a blob that the store has already. */
export class WholeIngest implements Ingest {
  readonly offsetBytes: number;
  readonly #release: () => void;

  constructor(sizeBytes: number, release: () => void) {
    this.offsetBytes = sizeBytes;
    this.#release = release;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length > 0) throw new Fault("internal", "the blob is whole already");
  }

  async commit(): Promise<void> {
    this.#release();
  }

  async discard(): Promise<void> {
    this.#release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#release();
  }
}

/** Digests what an earlier try left; a file longer than the blob can be nothing of use and is emptied. */
async function digestFile(file: FileHandle, expectedSizeBytes: number | undefined): Promise<Digester> {
  const { size } = await file.stat();
  if (expectedSizeBytes !== undefined && size > expectedSizeBytes) await file.truncate(0);
  const digester = new Digester();
  const buffer = Buffer.allocUnsafe(1 << 18);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, digester.sizeBytes);
    if (bytesRead === 0) return digester;
    digester.update(buffer.subarray(0, bytesRead));
  }
}
