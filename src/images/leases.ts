import type { Digest } from "#core/digest";

/**
 * What a pull, load or import is working on: blobs and layers that no image names yet, and that collection must leave
 * alone. Disposing it releases them; what nothing else holds by then is removed, so a failed load leaves nothing behind.
 * A `retry` lease leaves its blobs for a day instead, also across a killed daemon: the next pull takes them up.
 */
export interface Lease extends AsyncDisposable {
  /** Keeps a blob; call it before looking whether the store has it, and before storing it. */
  protect(digest: Digest): void;
  /** Keeps an unpacked layer and all below it. */
  protectLayer(chainId: Digest): void;
}

/** Makes leases and answers whether one protects something. */
export interface Leases {
  open(ending: "discard" | "retry"): Lease;
  protects(digest: Digest): boolean;
  protectedLayers(): Iterable<Digest>;
}
