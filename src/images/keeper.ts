import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import type { Catalog, LayerRecord } from "./catalog.ts";
import type { ContentStore } from "./content.ts";
import type { Lease, Leases } from "./leases.ts";
import type { SnapshotDriver } from "./snapshots.ts";

const retryNs = 24n * 3600n * 1_000_000_000n;

/** What collection did. */
export interface Collected {
  readonly layers: readonly LayerRecord[];
  readonly reclaimedBytes: number;
}

/**
 * Decides what stays: a blob that an image names, a layer that an image or a container's root stands on, what an owner
 * holds, and what a lease protects. Whether something is kept is asked in the same turn of the event loop in which it is taken away, so
 * nothing can begin to need it in between. Records go before what they name, for good: a kill or a power cut leaves files
 * without a record, which the next collection removes, and never a record without its files.
 */
export class Keeper implements Leases {
  readonly #catalog: Catalog;
  readonly #content: ContentStore;
  readonly #snapshots: SnapshotDriver;
  readonly #clock: Clock;
  readonly #leases = new Set<HeldLease>();
  /** What owners held before they held something else. */
  readonly #letGoBlobs = new Set<Digest>();

  constructor(catalog: Catalog, content: ContentStore, snapshots: SnapshotDriver, clock: Clock) {
    this.#catalog = catalog;
    this.#content = content;
    this.#snapshots = snapshots;
    this.#clock = clock;
  }

  open(ending: "discard" | "retry"): Lease {
    const lease = new HeldLease(
      (digest) => {
        if (ending === "retry" && !this.#catalog.keepsBlob(digest))
          this.#catalog.awaitBlob(digest, this.#clock.now() + retryNs);
      },
      async (ended) => {
        this.#leases.delete(ended);
        // Looking through all layers is not for a lease whose work somebody keeps by now.
        if ([...ended.layers].some((layer) => !this.#isLayerKept(layer))) await this.collectLayers();
        await this.collectBlobs([...ended.blobs, ...this.#takeLetGo()]);
      },
    );
    this.#leases.add(lease);
    return lease;
  }

  /** Keeps stacks and blobs for an owner, durably, in place of what was kept for it before; that goes with the next collection. */
  hold(owner: string, held: { readonly stacks: readonly Digest[]; readonly blobs: readonly Digest[] }): void {
    for (const blob of this.#catalog.hold(owner, held)) this.#letGoBlobs.add(blob);
  }

  /** Keeps nothing for those owners any more, and removes what nothing else keeps; answers its bytes. */
  async letGo(owners: readonly string[]): Promise<number> {
    const blobs = this.#catalog.letGo(owners);
    const { reclaimedBytes } = await this.collectLayers();
    return reclaimedBytes + (await this.collectBlobs([...blobs, ...this.#takeLetGo()]));
  }

  protects(digest: Digest): boolean {
    for (const lease of this.#leases) if (lease.blobs.has(digest)) return true;
    return false;
  }

  *protectedLayers(): Generator<Digest, void, void> {
    for (const lease of this.#leases) yield* lease.layers;
  }

  #isLayerKept(layer: Digest): boolean {
    for (const lease of this.#leases) if (lease.layers.has(layer)) return true;
    return this.#catalog.keepsStack(layer);
  }

  #takeLetGo(): Digest[] {
    const blobs = [...this.#letGoBlobs];
    this.#letGoBlobs.clear();
    return blobs;
  }

  /** Removes those of the blobs that nothing keeps. */
  async collectBlobs(candidates: Iterable<Digest>): Promise<number> {
    const isFree = (digest: Digest): boolean => !this.protects(digest) && !this.#catalog.keepsBlob(digest);
    const free = [...candidates].filter(isFree);
    if (free.length === 0) return 0;
    await this.#catalog.removalsSettled();
    let freedBytes = 0;
    for (const digest of free) if (isFree(digest)) freedBytes += await this.#content.delete(digest);
    return freedBytes;
  }

  /** Removes the layers that nothing stands on. */
  async collectLayers(): Promise<Collected> {
    const layers = this.#catalog.takeUnusedLayers(this.protectedLayers());
    if (layers.length > 0) await this.#catalog.removalsSettled();
    for (const layer of layers) await this.#snapshots.remove(layer.folder);
    return { layers, reclaimedBytes: layers.reduce((sum, layer) => sum + layer.sizeBytes, 0) };
  }

  /** Removes everything that nothing keeps, what killed daemons left included. */
  async collectAll(): Promise<Collected> {
    this.#catalog.expire();
    const collected = await this.collectLayers();
    const blobBytes = (await this.collectBlobs(await this.#content.list())) + (await this.#content.clean());
    for (const folder of await this.#snapshots.list()) {
      if (!this.#catalog.hasFolder(folder)) await this.#snapshots.remove(folder);
    }
    return { ...collected, reclaimedBytes: collected.reclaimedBytes + blobBytes };
  }
}

class HeldLease implements Lease {
  readonly blobs = new Set<Digest>();
  readonly layers = new Set<Digest>();
  readonly #onProtect: (digest: Digest) => void;
  readonly #end: (lease: HeldLease) => Promise<void>;
  #ended = false;

  constructor(onProtect: (digest: Digest) => void, end: (lease: HeldLease) => Promise<void>) {
    this.#onProtect = onProtect;
    this.#end = end;
  }

  protect(digest: Digest): void {
    if (this.blobs.has(digest)) return;
    this.blobs.add(digest);
    this.#onProtect(digest);
  }

  protectLayer(chainId: Digest): void {
    this.layers.add(chainId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#end(this);
  }
}
