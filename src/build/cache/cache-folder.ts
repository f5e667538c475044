import { type FileHandle, open } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { digestOf, hexOf, isDigest } from "#core/digest";
import { Fault } from "#core/fault";
import { type Descriptor, mediaType } from "#core/oci";
import { tarHeader, type TarHeader } from "#core/tar";
import { writeTar } from "#core/tar-write";
import type { Shim } from "#host";
import type { Layers, Lease, StackLayer } from "#images";
import type { FileTree } from "../files/files.ts";
import type { BuildFiles } from "../files/open.ts";
import { TreeProgram } from "../files/tree-program.ts";
import {
  type CacheContents,
  type CacheDocuments,
  mostDocumentBytes,
  parseCacheConfig,
  parseCacheManifest,
} from "./cache-document.ts";
import { type TarPlace, unpackInto } from "./folder-tar.ts";

/** What folders of caches are read and written with. */
export interface CacheFolderParts {
  readonly shim: Shim;
  readonly files: Pick<BuildFiles, "openRoot">;
  readonly layers: Layers;
}

/**
 * A folder of the client's that holds a build cache as an OCI layout (image-spec image-layout.md). Programs that see it as their root read
 * and write it, so that no symlink in it leads out; what they write goes to the folder that was opened, and to no other in its place. What
 * is read is known by its digest.
 */
export class CacheFolder implements AsyncDisposable {
  readonly #parts: CacheFolderParts;
  readonly #handle: FileHandle;
  readonly #place: TarPlace & { readonly id: string };
  readonly #tree: FileTree;

  private constructor(parts: CacheFolderParts, handle: FileHandle, place: TarPlace & { readonly id: string }) {
    this.#parts = parts;
    this.#handle = handle;
    this.#place = place;
    this.#tree = parts.files.openRoot("build cache", { tree: place.tree });
  }

  /** Opens a folder; `id` is the `DEV:INO` that the client sees there. Fault `invalid` when the daemon sees another one, or none. */
  static async open(parts: CacheFolderParts, path: string, id: string | undefined): Promise<CacheFolder> {
    if (!isAbsolute(path))
      throw new Fault("invalid", `the folder of a build cache must be absolute: ${path.slice(0, 200)}`);
    const handle = await open(`${path}/.`, "r").catch((error: unknown) => {
      throw new Fault("invalid", `there is no folder for a build cache at ${path.slice(0, 200)}`, { cause: error });
    });
    const { dev, ino } = await handle.stat({ bigint: true });
    if (`${dev}:${ino}` === id) return new CacheFolder(parts, handle, { tree: path, id });
    await handle.close();
    throw new Fault("invalid", `the daemon sees another folder at ${path.slice(0, 200)} than you do`, {
      remedy: "A local build cache is a folder of the daemon's machine: from within a container use type=registry.",
    });
  }

  /** What the cache of that name has. Faults: `notFound`, `invalid`. */
  async read(name: string, signal: AbortSignal): Promise<CacheContents> {
    const entry = (await this.#index(signal)).find((descriptor) => nameOf(descriptor) === name);
    if (entry === undefined) throw new Fault("notFound", `there is no build cache ${JSON.stringify(name)} in it`);
    const manifest = parseCacheManifest(await this.#document(entry, signal));
    if (manifest === undefined) throw new Fault("invalid", "what it holds is no build cache");
    return parseCacheConfig(await this.#document(manifest.config, signal), manifest);
  }

  /** Brings one of its blobs into the store. Faults: `notFound`, `invalid` for other bytes than it has to have. */
  async bring(blob: Descriptor, lease: Lease, signal: AbortSignal): Promise<void> {
    const { layers } = this.#parts;
    await layers.take(blob, () => this.#bytes(blob, signal), lease, signal);
  }

  /** Adds a cache under a name, in the place of what had it; the index comes last. What is there already is not written again. */
  async write(name: string, cache: CacheDocuments, signal: AbortSignal): Promise<void> {
    const others = (await this.#index(signal).catch(none)).filter((descriptor) => nameOf(descriptor) !== name);
    const { uid, gid } = await this.#handle.stat();
    const owned = (header: Partial<TarHeader> & Pick<TarHeader, "path">): TarHeader =>
      tarHeader({ type: "file", mode: 0o644, uid, gid, ...header });
    const { layers } = this.#parts;
    const missing = await this.#missing(cache, signal);
    const entries = async function* (): AsyncGenerator<TarPiece, void, void> {
      for (const path of ["blobs/", "blobs/sha256/"]) yield { header: owned({ path, type: "directory", mode: 0o755 }) };
      for (const { blob } of missing)
        yield {
          header: owned({ path: blobPath(blob), sizeBytes: blob.size }),
          data: layers.readBlob(blob.digest),
        };
      for (const { descriptor, bytes } of [cache.config, cache.manifest])
        yield { header: owned({ path: blobPath(descriptor), sizeBytes: bytes.length }), data: bytes };
      const named = { ...cache.manifest.descriptor, annotations: { [nameAnnotation]: name } };
      const index = { schemaVersion: 2, mediaType: mediaType.ociIndex, manifests: [...others, named] };
      for (const [path, document] of [
        ["oci-layout", { imageLayoutVersion: "1.0.0" }],
        ["index.json", index],
      ] as const) {
        const data = Buffer.from(JSON.stringify(document));
        yield { header: owned({ path, sizeBytes: data.length }), data };
      }
    };
    await unpackInto(this.#parts.shim, this.#place, writeTar(entries()), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tree[Symbol.asyncDispose]();
    await this.#handle.close();
  }

  async #index(signal: AbortSignal): Promise<Descriptor[]> {
    const bytes = await this.#tree.read("index.json", mostDocumentBytes, signal);
    if (bytes === undefined) throw new Fault("notFound", "there is no build cache in it");
    const manifests = manifestsIn(bytes);
    if (manifests === undefined) throw new Fault("invalid", "its index.json is broken");
    return manifests;
  }

  async #document({ digest, size }: Descriptor, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = await this.#tree.read(blobPath({ digest }), Math.min(size, mostDocumentBytes), signal);
    if (bytes === undefined) throw new Fault("notFound", `it lacks ${digest}`);
    if (digestOf(bytes) !== digest) throw new Fault("invalid", `it has other bytes than those of ${digest}`);
    return bytes;
  }

  async *#bytes(blob: Descriptor, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const patterns = [blobPath(blob)];
    const { items } = await this.#tree.select({ patterns, excludes: [], parents: false }, signal);
    for (const item of items) {
      if (item.kind !== "file") throw new Fault("invalid", `${blob.digest} is no file there`);
      for await (const { data } of item.entries(signal)) yield* data;
    }
  }

  /** Layers whose blobs it has not, or not whole. */
  async #missing({ layers }: CacheDocuments, signal: AbortSignal): Promise<CacheDocuments["layers"]> {
    await using program = await TreeProgram.start(this.#parts.shim, { tree: this.#place.tree }, signal);
    const missing: StackLayer[] = [];
    for (const layer of layers) {
      const facts = await program.look(blobPath(layer.blob));
      if (facts?.type !== "file" || facts.sizeBytes !== layer.blob.size) missing.push(layer);
    }
    return missing;
  }
}

type TarPiece = { readonly header: TarHeader; readonly data?: AsyncIterable<Uint8Array> | Uint8Array };

const nameAnnotation = "org.opencontainers.image.ref.name";
/** Caches in one folder. */
const mostNamed = 1000;

function nameOf({ annotations }: Descriptor): string {
  return annotations?.[nameAnnotation] ?? "";
}

function blobPath({ digest }: Pick<Descriptor, "digest">): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** The manifests of an index; undefined when it is none. */
function manifestsIn(bytes: Uint8Array): Descriptor[] | undefined {
  const { manifests } = jsonOf(bytes) ?? {};
  if (!Array.isArray(manifests)) return undefined;
  return (manifests as readonly unknown[]).slice(0, mostNamed).flatMap((value): Descriptor[] => {
    if (typeof value !== "object" || value === null) return [];
    const { mediaType, digest, size, annotations } = value as Readonly<Record<string, unknown>>;
    if (typeof mediaType !== "string" || typeof digest !== "string" || !isDigest(digest)) return [];
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return [];
    const name = (annotations as Readonly<Record<string, unknown>> | null | undefined)?.[nameAnnotation];
    return [{ mediaType, digest, size, ...(typeof name === "string" && { annotations: { [nameAnnotation]: name } }) }];
  });
}

function jsonOf(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const document: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return typeof document === "object" && document !== null ? (document as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function none(): readonly Descriptor[] {
  return [];
}
