import { randomBytes } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { open, readdir, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, Digester, hexOf, isDigest } from "#core/digest";
import { asFault, Fault } from "#core/fault";
import { guardSpace } from "#host";
import { FileDraft } from "./content-draft.ts";
import type { ContentDraft, ContentStore, Ingest } from "./content.ts";
import { FileIngest, WholeIngest } from "./file-ingest.ts";
import { publish, syncPath } from "./publish.ts";

const keptPartialMs = 24 * 3600 * 1000;
const smallBytes = 4 << 20;

const unsyncedPrefix = "unsynced-";

/** Opens (or makes) the content store in that folder; 0700, as blobs are nobody else's business. What another boot than this one left unsynced goes. */
export function openContentStore(folder: string, boot = ""): ContentStore {
  const blobs = join(folder, "blobs", "sha256");
  const ingest = join(folder, "ingest");
  const unsynced = join(folder, `${unsyncedPrefix}${boot}`);
  for (const path of [folder, blobs, ingest, unsynced]) mkdirSync(path, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name.startsWith(unsyncedPrefix) && path !== unsynced) rmSync(path, { recursive: true });
  }
  const layout = join(folder, "oci-layout");
  if (!existsSync(layout)) writeFileSync(layout, '{"imageLayoutVersion":"1.0.0"}', { mode: 0o600 });
  return new FileContentStore({ blobs, unsynced, ingest, damaged: join(folder, "damaged") });
}

class FileContentStore implements ContentStore {
  readonly #blobs: string;
  readonly #unsynced: string;
  readonly #ingest: string;
  readonly #damaged: string;
  /** The end of the line of writers of each digest. */
  readonly #writers = new Map<Digest, Promise<void>>();
  readonly #unnamed = new Set<string>();

  constructor(folders: Readonly<Record<"blobs" | "unsynced" | "ingest" | "damaged", string>>) {
    this.#blobs = folders.blobs;
    this.#unsynced = folders.unsynced;
    this.#ingest = folders.ingest;
    this.#damaged = folders.damaged;
  }

  has(digest: Digest): boolean {
    return existsSync(this.#pathOf(digest)) || existsSync(this.#unsyncedPathOf(digest));
  }

  sizeBytesOf(digest: Digest): number | undefined {
    const quiet = { throwIfNoEntry: false } as const;
    return (statSync(this.#pathOf(digest), quiet) ?? statSync(this.#unsyncedPathOf(digest), quiet))?.size;
  }

  pathOf(digest: Digest): string {
    for (const path of [this.#pathOf(digest), this.#unsyncedPathOf(digest)]) if (existsSync(path)) return path;
    throw missing(digest);
  }

  async read(digest: Digest, limitBytes = smallBytes): Promise<Uint8Array> {
    const sizeBytes = this.sizeBytesOf(digest);
    if (sizeBytes === undefined) throw missing(digest);
    if (sizeBytes > limitBytes)
      throw new Fault("tooLarge", `${digest} has ${sizeBytes} bytes where at most ${limitBytes} are expected`);
    return await readFile(this.pathOf(digest));
  }

  stream(
    digest: Digest,
    options: { readonly fromByte?: number; readonly toByte?: number } = {},
  ): AsyncIterable<Uint8Array> {
    const path = this.pathOf(digest);
    const { fromByte = 0, toByte = Number.POSITIVE_INFINITY } = options;
    if (toByte <= fromByte) return none();
    return bytesOf(path, fromByte, toByte - 1);
  }

  async ingest(digest: Digest, expectedSizeBytes?: number): Promise<Ingest> {
    const before = this.#writers.get(digest);
    const mine = Promise.withResolvers<void>();
    this.#writers.set(digest, mine.promise);
    const release = (): void => {
      mine.resolve();
      if (this.#writers.get(digest) === mine.promise) this.#writers.delete(digest);
    };
    await before;
    try {
      const sizeBytes = this.sizeBytesOf(digest);
      if (sizeBytes !== undefined) return new WholeIngest(sizeBytes, release);
      const path = join(this.#ingest, `sha256-${hexOf(digest)}`);
      return await FileIngest.open({ path, target: this.#pathOf(digest), digest, expectedSizeBytes, release });
    } catch (error) {
      release();
      throw error;
    }
  }

  async put(
    bytes: AsyncIterable<Uint8Array> | Uint8Array,
    prepare?: (digest: Digest) => void,
  ): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
    const name = `put-${randomBytes(12).toString("hex")}`;
    const path = join(this.#ingest, name);
    this.#unnamed.add(name);
    try {
      const digester = new Digester();
      const file = await open(path, "wx", 0o600);
      try {
        const source = bytes instanceof Uint8Array ? [bytes] : guardSpace(bytes, this.#ingest);
        for await (const piece of source) {
          const written = file.writeFile(piece).catch(failWrite);
          digester.update(piece); // while the disk takes it
          await written;
        }
        const digest = digester.digest();
        prepare?.(digest);
        await publish(file, path, this.#pathOf(digest));
        return { digest, sizeBytes: digester.sizeBytes };
      } finally {
        await file.close();
      }
    } catch (error) {
      await unlink(path).catch(ignoreMissing);
      throw error;
    } finally {
      this.#unnamed.delete(name);
    }
  }

  async draft(): Promise<ContentDraft> {
    const name = `put-${randomBytes(12).toString("hex")}`;
    this.#unnamed.add(name);
    return await FileDraft.open({
      path: join(this.#ingest, name),
      targetOf: (digest) => (this.has(digest) ? undefined : this.#unsyncedPathOf(digest)),
      release: () => this.#unnamed.delete(name),
    });
  }

  async settle(digests: readonly Digest[]): Promise<void> {
    let moved = false;
    for (const digest of new Set(digests)) {
      const unsynced = this.#unsyncedPathOf(digest);
      if (!existsSync(unsynced)) continue;
      if (await this.#sync(unsynced)) moved = moveBlob(unsynced, this.#pathOf(digest)) || moved;
    }
    if (moved) await syncPath(this.#blobs);
  }

  /** Whether it is there still: two who settle the same blob meet here. */
  async #sync(path: string): Promise<boolean> {
    try {
      await syncPath(path);
      return true;
    } catch (error) {
      return ignoreMissing(error) ?? false;
    }
  }

  async delete(digest: Digest): Promise<number> {
    const sizeBytes = this.sizeBytesOf(digest);
    if (sizeBytes === undefined) return 0;
    for (const path of [this.#pathOf(digest), this.#unsyncedPathOf(digest)]) if (existsSync(path)) unlinkSync(path);
    return sizeBytes;
  }

  setAside(digest: Digest): void {
    mkdirSync(this.#damaged, { recursive: true, mode: 0o700 });
    renameSync(this.pathOf(digest), join(this.#damaged, hexOf(digest)));
  }

  async list(): Promise<Digest[]> {
    const names = new Set([...(await readdir(this.#blobs)), ...(await readdir(this.#unsynced))]);
    return [...names].map((name) => `sha256:${name}`).filter(isDigest);
  }

  async clean(): Promise<number> {
    let freedBytes = 0;
    for (const name of await readdir(this.#ingest)) {
      const path = join(this.#ingest, name);
      const facts = await stat(path).catch(ignoreMissing);
      const digest = `sha256:${name.slice("sha256-".length)}`;
      const isNamed = name.startsWith("sha256-") && isDigest(digest);
      const isBusy = isNamed ? this.#writers.has(digest) : this.#unnamed.has(name);
      const isYoung = isNamed && facts !== undefined && Date.now() - facts.mtimeMs < keptPartialMs;
      if (facts === undefined || isBusy || isYoung) continue;
      unlinkSync(path);
      freedBytes += facts.size;
    }
    return freedBytes;
  }

  #unsyncedPathOf(digest: Digest): string {
    return join(this.#unsynced, hexOf(digest));
  }

  #pathOf(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }
}

function moveBlob(from: string, to: string): boolean {
  if (!existsSync(from)) return false;
  renameSync(from, to);
  return true;
}

/** Opened by its reader: a file that is opened for nobody stays open, and nobody hears that it failed. */
async function* bytesOf(path: string, start: number, end: number): AsyncGenerator<Uint8Array, void, void> {
  yield* createReadStream(path, { start, end, highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>;
}

async function* none(): AsyncGenerator<Uint8Array, void, void> {
  // Nothing lies between the bounds.
}

function missing(digest: Digest): Fault {
  return new Fault("notFound", `content digest ${digest}: not found`);
}

function failWrite(error: unknown): never {
  throw asFault(error);
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}
