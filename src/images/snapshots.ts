import type { MountOp } from "#host";

/** A layer that is unpacked but not published; disposing it removes what is not published. */
export interface Draft extends AsyncDisposable {
  /** Bytes of the layer's files. */
  readonly sizeBytes: number;
  /** Gives it its name; answers the folder. `synced`: it is on the disk before it has the name. */
  publish(lasting: "synced" | "unsynced"): Promise<string>;
}

/** Writable parts of a root filesystem: on the host, or where mounts have come before. */
export interface WritableLayer {
  readonly upper: string;
  readonly work: string;
  /** It is mounted once, and a crash may take it: nothing in it is ever synced, whoever asks, nor when it is unmounted. */
  readonly passing?: boolean;
}

/**
 * Where layers live unpacked, and how they become a root filesystem. A driver answers mounts as data and never mounts by
 * itself; what a layer is on the disk (a directory; later perhaps a file to be mounted) is its own business: others know
 * a layer by its folder's name.
 */
export interface SnapshotDriver {
  /** The name that `docker info` and `inspect` show. */
  readonly name: string;
  /** Unpacks a layer's uncompressed tar, read to its end; `below` answers the folders under it, topmost first, once they are there. */
  unpack(tar: AsyncIterable<Uint8Array>, below: () => Promise<readonly string[]>, signal: AbortSignal): Promise<Draft>;
  /** Makes a draft of a folder that is in the form of layers already, by a rename; one on another file system cannot be (EXDEV). */
  takeOver(tree: string, sizeBytes: number): Draft;
  /** Puts all that was published on the disk. */
  sync(): Promise<void>;
  /** The mounts that make those layers, topmost first, appear at the target: read-only, or with a writable layer on top (an `upper` without its `work` is only shown). */
  mountsAt(
    target: string,
    folders: readonly string[],
    writable?: WritableLayer | Pick<WritableLayer, "upper">,
  ): readonly MountOp[];
  /** The mounts of a container's root: as `mountsAt`, with the usual mount points below all layers. */
  rootAt(
    target: string,
    folders: readonly string[],
    writable?: WritableLayer | Pick<WritableLayer, "upper">,
  ): readonly MountOp[];
  /** The layer's path, as `inspect` shows it. */
  pathOf(folder: string): string;
  /** Makes the two directories of a writable layer; its root looks like that of the topmost folder. */
  makeWritable(writable: WritableLayer, topFolder: string | undefined): void;
  remove(folder: string): Promise<void>;
  /** The folders that are there, unfinished ones included unless somebody works on them. */
  list(): Promise<string[]>;
}
