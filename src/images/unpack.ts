import type { Digest } from "#core/digest";
import type { Descriptor } from "#core/oci";
import type { Lease } from "./leases.ts";

/** A layer to be unpacked; its blob is in the content store. */
export interface UnpackRequest {
  readonly blob: Descriptor;
  /** Digest of the uncompressed tar, from the image's config; verified while unpacking. */
  readonly diffId: Digest;
  /** ChainID of the stack below; it must be unpacked already, or its unpacking have been asked for before. */
  readonly parent: Digest | undefined;
  /** Whether it has to be on the disk at once; `synced` when absent. Others who ask for the same layer meanwhile get it as the first one wants it: an image is synced before its record. */
  readonly lasting?: "synced" | "unsynced";
}

/** How far an unpacking is, in bytes of the compressed blob. */
export type UnpackProgress = (doneBytes: number, totalBytes: number) => void;

/** Turns layer blobs into snapshots. */
export interface Unpacker {
  /** Whether the stack is unpacked (then its blobs need no download for running, but see `adoptImage`). */
  has(chainId: Digest): boolean;
  /**
   * Unpacks a layer and answers its ChainID; at once when it is there. The same layer asked for twice is unpacked once;
   * layers of one image may be asked for all together, base first. The lease protects the result. Faults: `invalid` for
   * hostile or broken archives and for a wrong DiffID, `exhausted` when the disk has no room; nothing is left then.
   */
  unpack(request: UnpackRequest, lease: Lease, signal: AbortSignal, onProgress?: UnpackProgress): Promise<Digest>;
}
