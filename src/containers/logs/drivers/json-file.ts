import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { LogBudget } from "../log-options.ts";
import { jsonAttributes, jsonLine } from "./json-line.ts";
import type { LogConnection, LogDriver, TargetLine } from "./log-driver.ts";

/** Docker's json-file: where log collectors look, rotated to `PATH.1`, `PATH.2` … (and `.gz` of them with `compress`). */
export function jsonFileDriver(options: {
  readonly path: string;
  readonly budget: LogBudget;
  readonly compress: boolean;
  readonly attributes: Readonly<Record<string, string>>;
}): LogDriver {
  return {
    target: options.path,
    batchBytes: Math.min(mostBatchBytes, Math.ceil((options.budget.sizeBytes ?? mostBatchBytes) / 4)),
    settleMs: 0,
    firstWaitMs: 250,
    maxRetries: undefined,
    open: async (state) => await JsonFile.open(options, state),
  };
}

/** A file is rotated between batches: those of a small one are small. */
const mostBatchBytes = 262_144;

type Options = Parameters<typeof jsonFileDriver>[0];

/** The file of the last confirmed write and how long it was then: what stands behind it is going to be written again. */
interface FileState {
  readonly inode: number;
  readonly sizeBytes: number;
}

class JsonFile implements LogConnection {
  readonly over: Promise<void>;
  readonly #options: Options;
  readonly #attributes: string;
  readonly #over = Promise.withResolvers<void>();
  #file: FileHandle;
  #state: FileState;
  #packing = Promise.resolve();

  private constructor(options: Options, file: FileHandle, state: FileState) {
    this.over = this.#over.promise;
    this.#options = options;
    this.#attributes = jsonAttributes(options.attributes);
    this.#file = file;
    this.#state = state;
  }

  static async open(options: Options, text: string): Promise<JsonFile> {
    const file = await open(options.path, "a", 0o640);
    const { ino: inode, size } = await file.stat();
    const state = text === "" ? undefined : (JSON.parse(text) as FileState);
    // Another file than the confirmed one was begun after it: all of it comes again.
    const sizeBytes = state?.inode === inode ? Math.min(state.sizeBytes, size) : 0;
    await file.truncate(sizeBytes);
    return new JsonFile(options, file, { inode, sizeBytes });
  }

  async send(lines: readonly TargetLine[]): Promise<string> {
    const limit = this.#options.budget.sizeBytes ?? Number.POSITIVE_INFINITY;
    if (this.#state.sizeBytes >= limit) await this.#rotate();
    const bytes = Buffer.from(lines.map((line) => jsonLine(line, this.#attributes)).join(""));
    try {
      for (let done = 0; done < bytes.length;) done += (await this.#file.write(bytes, done)).bytesWritten;
    } catch (error) {
      await this.#file.truncate(this.#state.sizeBytes); // a full disk: nothing half of it stays
      throw error;
    }
    this.#state = { ...this.#state, sizeBytes: this.#state.sizeBytes + bytes.length };
    return JSON.stringify(this.#state);
  }

  async end(): Promise<boolean> {
    await this.#packing;
    await this.#file.close();
    this.#over.resolve();
    return true;
  }

  destroy(): void {
    this.#file.close().catch(() => {});
    this.#over.resolve();
  }

  async #rotate(): Promise<void> {
    const { path, budget, compress } = this.#options;
    await this.#packing;
    if (budget.files === 1) {
      await this.#file.truncate(0);
      this.#state = { ...this.#state, sizeBytes: 0 };
      return;
    }
    for (let number = budget.files - 1; number > 1; number--) {
      await move(`${path}.${number - 1}`, `${path}.${number}`);
      await move(`${path}.${number - 1}.gz`, `${path}.${number}.gz`);
    }
    await rename(path, `${path}.1`);
    const before = this.#file;
    this.#file = await open(path, "a", 0o640);
    this.#state = { inode: (await this.#file.stat()).ino, sizeBytes: 0 };
    await before.close();
    if (compress) this.#packing = pack(`${path}.1`);
  }
}

/** One that is not there leaves none. */
async function move(from: string, to: string): Promise<void> {
  await rm(to, { force: true });
  await rename(from, to).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  });
}

/** In the background: whoever rotates next waits for it. What cannot be packed stays as it is. */
async function pack(path: string): Promise<void> {
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(`${path}.gz`, { mode: 0o640 }));
    await rm(path);
  } catch {
    await rm(`${path}.gz`, { force: true }).catch(() => {});
  }
}
