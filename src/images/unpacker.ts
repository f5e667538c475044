import { type Digest, Digester } from "#core/digest";
import { asFault, Fault } from "#core/fault";
import { guardSpace, type Shim } from "#host";
import type { Catalog } from "./catalog.ts";
import { chainIdOf } from "./chain-id.ts";
import type { ContentStore } from "./content.ts";
import { decompress } from "./decompress.ts";
import type { Lease } from "./leases.ts";
import { recordLayer } from "./record-layer.ts";
import type { SnapshotDriver } from "./snapshots.ts";
import type { Unpacker, UnpackProgress, UnpackRequest } from "./unpack.ts";

/** What the unpacker works with. */
export interface UnpackerParts {
  readonly catalog: Catalog;
  readonly content: ContentStore;
  readonly snapshots: SnapshotDriver;
  readonly shim: Shim;
  /** The layers' folder, whose disk is watched. */
  readonly folder: string;
  /** Of the machine, now. */
  readonly boot: string;
}

/** An unpacking under way, for all who asked for that layer. */
interface Work {
  readonly done: Promise<void>;
  readonly listeners: Set<UnpackProgress>;
  readonly abort: AbortController;
  callers: number;
}

/** Makes the unpacker: one work a layer, however many ask; the work ends when the last of them has gone. */
export function openUnpacker(parts: UnpackerParts): Unpacker {
  return new LayerUnpacker(parts);
}

class LayerUnpacker implements Unpacker {
  readonly #parts: UnpackerParts;
  readonly #works = new Map<Digest, Work>();

  constructor(parts: UnpackerParts) {
    this.#parts = parts;
  }

  has(chainId: Digest): boolean {
    return this.#parts.catalog.layer(chainId) !== undefined;
  }

  async unpack(
    request: UnpackRequest,
    lease: Lease,
    signal: AbortSignal,
    onProgress?: UnpackProgress,
  ): Promise<Digest> {
    const chainId = chainIdOf(request.parent, request.diffId);
    for (;;) {
      signal.throwIfAborted();
      lease.protectLayer(chainId);
      if (this.has(chainId)) return chainId;
      const work = this.#works.get(chainId) ?? this.#start(chainId, request);
      await this.#join(work, signal, onProgress);
    }
  }

  /** Waits for the work; a work that others' leaving aborted is simply tried again by the loop above. */
  async #join(work: Work, signal: AbortSignal, onProgress: UnpackProgress | undefined): Promise<void> {
    work.callers++;
    if (onProgress !== undefined) work.listeners.add(onProgress);
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(new Fault("cancelled", "cancelled", { cause: signal.reason }));
    signal.addEventListener("abort", leave, { once: true });
    left.promise.catch(() => undefined);
    try {
      await Promise.race([work.done, left.promise]);
    } catch (error) {
      if (signal.aborted || !work.abort.signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", leave);
      if (onProgress !== undefined) work.listeners.delete(onProgress);
      work.callers--;
      if (work.callers === 0) {
        work.abort.abort();
        // The last one out waits until nothing of the work is left.
        await work.done.catch(() => undefined);
      }
    }
  }

  #start(chainId: Digest, request: UnpackRequest): Work {
    const abort = new AbortController();
    const listeners = new Set<UnpackProgress>();
    const below = request.parent === undefined ? undefined : this.#works.get(request.parent)?.done;
    below?.catch(() => undefined);
    const done = this.#run(chainId, request, below, listeners, abort.signal).finally(() => {
      if (this.#works.get(chainId) === work) this.#works.delete(chainId);
    });
    const work: Work = { done, listeners, abort, callers: 0 };
    done.catch(() => undefined);
    this.#works.set(chainId, work);
    return work;
  }

  async #run(
    chainId: Digest,
    request: UnpackRequest,
    below: Promise<void> | undefined,
    listeners: ReadonlySet<UnpackProgress>,
    signal: AbortSignal,
  ): Promise<void> {
    const { catalog, content, snapshots, shim, folder } = this.#parts;
    const { parent, lasting = "synced" } = request;
    const digester = new Digester();
    const totalBytes = content.sizeBytesOf(request.blob.digest) ?? request.blob.size;
    const compressed = counted(content.stream(request.blob.digest), totalBytes, listeners, signal);
    const plain = digested(guardSpace(decompress(compressed, shim, signal), folder), digester);
    const foldersBelow = async (): Promise<string[]> => {
      await below;
      return catalog.stack(request.parent).map((layer) => layer.folder);
    };
    try {
      await using draft = await snapshots.unpack(plain, foldersBelow, signal);
      const diffId = digester.digest();
      if (diffId !== request.diffId) {
        throw new Fault("invalid", `invalid diffID for layer: expected "${request.diffId}", got "${diffId}"`);
      }
      await below;
      if (request.parent !== undefined && !this.has(request.parent)) {
        throw new Fault("internal", `layer ${request.parent} is not unpacked`);
      }
      await recordLayer(this.#parts, draft, { chainId, parent, diffId }, lasting);
      catalog.markVerified(request.blob.digest, diffId);
    } catch (error) {
      throw asFault(error);
    }
  }
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  totalBytes: number,
  listeners: ReadonlySet<UnpackProgress>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  let doneBytes = 0;
  for await (const piece of source) {
    signal.throwIfAborted();
    yield piece;
    doneBytes += piece.length;
    for (const listener of listeners) listener(doneBytes, totalBytes);
  }
}

async function* digested(
  source: AsyncIterable<Uint8Array>,
  digester: Digester,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of source) {
    digester.update(piece);
    yield piece;
  }
}
