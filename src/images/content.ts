import type { Digest } from "#core/digest";

/**
 * The content store: blobs by digest in `content/blobs/sha256/`, an OCI layout that other tools can read. A blob is
 * absent or whole: bytes go to `content/ingest/`, are verified as they stream, synced and renamed. Blobs of a draft are
 * not synced: they are in `content/unsynced-<boot>/` until they are settled, and no other boot believes them.
 */
export interface ContentStore {
  has(digest: Digest): boolean;
  sizeBytesOf(digest: Digest): number | undefined;
  /** Path of a blob that is whole; Fault `notFound` otherwise. */
  pathOf(digest: Digest): string;
  /** All of a small blob (manifest, config); Fault `tooLarge` above `limitBytes` (default 4 MiB). */
  read(digest: Digest, limitBytes?: number): Promise<Uint8Array>;
  /** The blob's bytes from `fromByte` up to, without, `toByte`. */
  stream(digest: Digest, options?: { readonly fromByte?: number; readonly toByte?: number }): AsyncIterable<Uint8Array>;
  /** Opens the ingest of a blob whose digest is known; what an earlier try (also of a killed daemon) left is kept, so `offsetBytes` may be above 0. One writer a digest at a time: a second caller waits, and may then find the blob in the store: its ingest is whole already. */
  ingest(digest: Digest, expectedSizeBytes?: number): Promise<Ingest>;
  /** Stores bytes whose digest is not known before: streams, then names. With `prepare`, it is told the digest before the blob appears, so that a lease can protect it. */
  put(
    bytes: AsyncIterable<Uint8Array> | Uint8Array,
    prepare?: (digest: Digest) => void,
  ): Promise<{ readonly digest: Digest; readonly sizeBytes: number }>;
  /** Opens a blob whose digest comes out at its end, and which is to be settled before anything durable names it. */
  draft(): Promise<ContentDraft>;
  /** Puts those of the blobs on the disk that may not be there yet. */
  settle(digests: readonly Digest[]): Promise<void>;
  /** Removes a blob, at once and before this returns its promise; answers its size, 0 when there was none. */
  delete(digest: Digest): Promise<number>;
  /** Moves a damaged blob to `content/damaged/`: it is here no more, and not lost. */
  setAside(digest: Digest): void;
  list(): Promise<Digest[]>;
  /** Removes what killed daemons left half written: unnamed ingests, and named ones older than a day. */
  clean(): Promise<number>;
}

/** A blob that is being made. Disposing it without `keep` removes it. */
export interface ContentDraft extends AsyncDisposable {
  /** Resolves when the kernel has the bytes. Fault `exhausted` for a full disk. */
  write(bytes: Uint8Array): Promise<void>;
  /** Gives it its name; `prepare` is told the digest before, so that a lease can protect it. */
  keep(prepare: (digest: Digest) => void): Promise<{ readonly digest: Digest; readonly sizeBytes: number }>;
}

/** A blob on its way in. Disposing it without `commit` keeps the partial bytes for a later try. */
export interface Ingest extends AsyncDisposable {
  /** Bytes that are already here (already digested). Equal to the expected size when the blob is whole already. */
  readonly offsetBytes: number;
  write(bytes: Uint8Array): Promise<void>;
  /** Verifies digest and size, syncs, renames. Fault `internal` and nothing kept when the digest differs. */
  commit(): Promise<void>;
  /** Throws the partial bytes away. */
  discard(): Promise<void>;
}
