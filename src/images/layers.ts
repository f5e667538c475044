import type { Digest } from "#core/digest";
import type { Descriptor, ImageConfig } from "#core/oci";
import type { Reference } from "#core/reference";
import type { MountOp } from "#host";
import type { Lease } from "./leases.ts";
import type { PlainTar } from "./snapshots.ts";

/** One layer of a stack: the digest of its plain tar, and the blob that holds it, as it is or packed. */
export interface StackLayer {
  readonly diffId: Digest;
  readonly blob: Descriptor;
}

/** Layers by their ChainID (undefined: no layer at all), for whoever makes images of them: the builder. */
export interface Layers {
  /** Keeps what is worked on from collection until it is disposed. */
  lease(): Lease;
  /** Keeps stacks and blobs for an owner (`build:…`), also across restarts, until it lets go. What it named before is let go. */
  hold(owner: string, held: { readonly stacks: readonly Digest[]; readonly blobs: readonly Digest[] }): void;
  /** Answers the bytes of what nothing else keeps, which is gone. */
  letGo(owners: readonly string[]): Promise<number>;
  /** The layers of an image, base first, as its manifest has them. Fault `notFound`. */
  ofImage(id: Digest): Promise<readonly StackLayer[]>;
  /** Whether all of a stack is unpacked. */
  has(stack: Digest): boolean;
  /** Bytes of a stack's topmost layer, unpacked. */
  sizeBytesOf(stack: Digest): number;
  /** Makes a layer of a tar in OCI form (image-spec layer.md) on a stack; answers it and the stack with it. The lease keeps both. `plain`: see there. */
  add(
    below: Digest | undefined,
    tar: AsyncIterable<Uint8Array>,
    lease: Lease,
    signal: AbortSignal,
    plain?: PlainTar,
  ): Promise<{ readonly layer: StackLayer; readonly stack: Digest }>;
  /** Puts a layer whose blob is here on a stack. Fault `invalid` where the blob is not what the layer says, also when such a layer was there already. */
  put(below: Digest | undefined, layer: StackLayer, lease: Lease, signal: AbortSignal): Promise<Digest>;
  /** As `Images.createRoot`, over a stack. */
  createRoot(below: Digest | undefined, name: string): Promise<void>;
  /**
   * Makes a layer of what was written to a root and takes it away from the root, which is to be dropped next. Undefined when nothing
   * was written. Times after `epochSeconds` become that. `without`: empty files and folders that were only there to be mounted on.
   */
  seal(
    rootName: string,
    options: { readonly epochSeconds?: number; readonly without: readonly string[] },
    lease: Lease,
    signal: AbortSignal,
  ): Promise<{ readonly layer: StackLayer; readonly stack: Digest } | undefined>;
  /** Mounts that show a stack, read-only, at a target in somebody's own mount namespace. */
  shownAt(stack: Digest | undefined, target: string): readonly MountOp[];
  /** What a path of a stack is, symlinks followed with no way out; `path`: where they led. Undefined when there is nothing. */
  look(stack: Digest | undefined, path: string): Promise<LookedUp | undefined>;
  /** A small file of a stack as text; as `Images.readRootFile`. */
  readFile(stack: Digest | undefined, path: string): Promise<string | undefined>;
  /** Takes in a blob whose digest and size are known, unless it is here. Fault `invalid` for other bytes than these, of which nothing stays. */
  take(blob: Descriptor, bytes: () => AsyncIterable<Uint8Array>, lease: Lease, signal: AbortSignal): Promise<void>;
  /** A blob's bytes as they are stored. Fault `notFound`, before the first of them. */
  readBlob(digest: Digest): AsyncIterable<Uint8Array>;
  /** Stores a document: an index, a statement, a manifest of what is no image. */
  putDocument(bytes: Uint8Array, mediaType: string, lease: Lease): Promise<Descriptor>;
  /** Records an image of those layers under those tags; answers once no power cut can take it back. */
  assemble(
    image: {
      readonly config: Omit<ImageConfig, "rootfs">;
      readonly layers: readonly StackLayer[];
      readonly annotations?: Readonly<Record<string, string>>;
      readonly tags: readonly Reference[];
    },
    lease: Lease,
  ): Promise<{ readonly id: Digest; readonly manifest: Descriptor }>;
}

export interface LookedUp {
  readonly path: string;
  readonly kind: "file" | "directory" | "other";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}
