/** The door of `images/`: content store, layer snapshots, references, pull, save, load, holds and collection. */
import type { Digest } from "#core/digest";
import type { EventSink } from "#core/event";
import type { ContainerDefaults, Descriptor, ImageConfig, Platform } from "#core/oci";
import type { Reference } from "#core/reference";
import type { Clock } from "#core/clock";
import type { Database, MountOp, Paths, Shim } from "#host";
import type { Layers } from "./layers.ts";
import type { Lease } from "./leases.ts";

/** One image in the store. Its id is the digest of its config document. */
export interface Image {
  readonly id: Digest;
  readonly config: ImageConfig;
  /** Tagged references, familiar form, sorted: `busybox:latest`. */
  readonly repoTags: readonly string[];
  /** `busybox@sha256:…` for each repository it was pulled from, pushed to or loaded into. */
  readonly repoDigests: readonly string[];
  /** The manifest that names the config, when one is stored. */
  readonly manifest?: Digest;
  /** Bytes of the unpacked layers. */
  readonly sizeBytes: number;
  readonly createdNs: bigint;
  readonly lastTaggedNs?: bigint;
}

/** One step of `docker history`, newest first. */
export interface HistoryStep {
  readonly id: Digest | "<missing>";
  readonly createdSeconds: number;
  readonly createdBy: string;
  readonly tags: readonly string[];
  readonly sizeBytes: number;
  readonly comment: string;
}

/** Progress as `docker pull` and `docker load` show it; the API renders it as JSON lines. */
export interface Progress {
  readonly status?: string;
  readonly id?: string;
  readonly current?: number;
  readonly total?: number;
  /** Plain text of `load`, with its newline: `Loaded image: busybox:latest\n`. */
  readonly stream?: string;
  /** What `push` has put into a registry. */
  readonly pushed?: PushedTag;
}

/** What a tag (or, without one, a digest) names in a registry after a push. */
export interface PushedTag {
  readonly tag: string;
  readonly digest: Digest;
  /** Of the manifest or index itself. */
  readonly sizeBytes: number;
}

/** Credentials for one registry, from `X-Registry-Auth`. Never logged, never stored. */
export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
  readonly serverAddress?: string;
}

export interface PullRequest {
  readonly reference: Reference;
  readonly platform?: Platform;
  readonly auth?: RegistryAuth;
  /** `docker pull -a`: every tag of the repository. */
  readonly allTags?: boolean;
}

/** Documents and blobs of a repository, for who reads other things there than images. Faults as those of `pull`. */
export interface RemoteContent {
  /** The document that the reference names, checked against the digest that it names; at most 4 MiB. */
  document(signal: AbortSignal): Promise<Uint8Array>;
  /** Brings a blob into the store, unless it is here; not a byte more than it says, and nothing that has not its digest. */
  bring(blob: Descriptor, lease: Lease, signal: AbortSignal): Promise<void>;
}

export interface PushRequest {
  /** A tag (`latest` by default), or a digest that the image is known by there. */
  readonly reference: Reference;
  readonly auth?: RegistryAuth;
  /** `docker push -a`: every tag of the repository. */
  readonly allTags?: boolean;
  /** Of an image for several platforms only that one. */
  readonly platform?: Platform;
  /** A manifest or index in the store, of whatever, that is put there byte for byte under the reference; no image needs to have that name. */
  readonly document?: Digest;
}

/** What `rmi` did, in order. */
export type Removal = { readonly untagged: string } | { readonly deleted: Digest };

export interface ImageFilters {
  /** Each key: any of its values must match; across keys all must. Known keys: dangling, label, label!, before, since, reference, until. */
  readonly [key: string]: readonly string[];
}

/** Something in the store that is not as the records say. */
export interface Finding {
  readonly kind:
    | "damaged blob"
    | "missing blob"
    | "stray blob"
    | "missing layer"
    | "changed layer"
    | "stray layer"
    | "stray root"
    | "dangling name"
    | "damaged database";
  /** A digest, chain id, folder or container. */
  readonly subject: string;
  readonly text: string;
  /** `repairable`: nobody asked for it. */
  readonly outcome: "repaired" | "repairable" | "left";
  readonly remedy?: string;
}

/** What takes room in the store, and who needs it. */
export interface Holdings {
  /** Bytes of each piece: of unpacked layers by chain id, of blobs by digest with `blob:` before it. */
  readonly pieces: ReadonlyMap<string, number>;
  /** Pieces that something else than the images below needs: containers whose image went, the built-in image, work in progress. */
  readonly heldPieces: ReadonlySet<string>;
  readonly images: readonly ImageHolding[];
}

/** One image that shows, and its pieces. */
export interface ImageHolding {
  readonly id: Digest;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  /** When it was last pulled, made, named, or let go by a container. */
  readonly usedNs: bigint;
  /** A container has it. */
  readonly isHeld: boolean;
  readonly pieces: readonly string[];
}

/** A container's own writable layer over its image's layers, as mounts to be applied in the container's monitor. */
export interface RootFilesystem {
  /** Mounts that make the root at `target`. */
  mountsAt(target: string): readonly MountOp[];
  /** Mounts that show the root as it is, read-only; they hinder nobody who writes to it. */
  shownAt(target: string): readonly MountOp[];
  /** What `docker inspect` shows under GraphDriver. */
  readonly driver: { readonly name: string; readonly data: Readonly<Record<string, string>> };
}

/** One path of a container's root that differs from its image. */
export interface RootChange {
  readonly path: string;
  readonly kind: "modified" | "added" | "deleted";
}

export interface Images {
  /** Layers by themselves, for whoever makes images of them. */
  readonly layers: Layers;
  /** Finds by reference, by id, or by unique prefix of an id. Faults: `notFound` (`No such image: X`), `conflict` when a prefix is ambiguous. */
  find(nameOrId: string, platform?: Platform): Image;
  list(options: { readonly all: boolean; readonly filters: ImageFilters }): Image[];
  history(nameOrId: string): HistoryStep[];
  /** Pulls; yields progress; ends with the `Digest:` and `Status:` lines. A pull that a killed daemon left is taken up where it stopped. */
  pull(request: PullRequest, signal: AbortSignal): AsyncIterable<Progress>;
  /** What a repository keeps that is no image: build caches. Nothing is asked before it is read. */
  remote(reference: Reference, auth?: RegistryAuth): RemoteContent;
  /**
   * Pushes: what the registry does not have yet, the manifest last; yields progress; ends with the line of the digest and `pushed`.
   * Faults: `notFound` when nothing has that name here, in Docker's words; those of the registry, in its own.
   */
  push(request: PushRequest, signal: AbortSignal): AsyncIterable<Progress>;
  /** `docker login`: shows the credentials to the registry of `auth.serverAddress` (Docker Hub when absent); answers the lasting token that stands for the password from now on, where the registry gives one. Faults: `unauthorized` in Docker's words, `invalid`, `unavailable`. */
  checkCredentials(auth: RegistryAuth, signal: AbortSignal): Promise<{ readonly identityToken?: string }>;
  /** Loads a docker-archive or an OCI layout tar, plain, gzip or zstd. `quiet` drops the progress. */
  load(
    archive: AsyncIterable<Uint8Array>,
    options: { readonly quiet: boolean; readonly platform?: Platform },
    signal: AbortSignal,
  ): AsyncIterable<Progress>;
  /** One tar that is both an OCI layout and a docker-archive. */
  save(names: readonly string[], signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** `docker import`: a root filesystem tar becomes a one-layer image. */
  importArchive(
    archive: AsyncIterable<Uint8Array>,
    options: {
      readonly reference?: Reference;
      readonly changes: readonly string[];
      readonly message: string;
      readonly platform?: Platform;
    },
    signal: AbortSignal,
  ): Promise<Digest>;
  /** `docker commit`: makes an image of a container's writable layer and its image's layers, with that configuration. Fault `invalid` for bad changes. */
  commitRoot(
    containerId: string,
    options: {
      readonly reference?: Reference;
      /** What the image says of containers, before `changes`. */
      readonly config: ContainerDefaults;
      readonly changes: readonly string[];
      readonly author: string;
      readonly comment: string;
      /** For the history. */
      readonly createdBy: string;
    },
    signal: AbortSignal,
  ): Promise<Digest>;
  tag(source: string, target: Reference): Promise<void>;
  /** `rmi`. Faults: `conflict` with Docker's words when a container uses it or several repositories name it. `running` are the ids of containers that run: their images cannot go even by force. */
  remove(
    nameOrId: string,
    options: { readonly force: boolean; readonly prune: boolean; readonly running?: ReadonlySet<string> },
  ): Promise<Removal[]>;
  prune(options: {
    readonly danglingOnly: boolean;
    readonly filters: ImageFilters;
  }): Promise<{ readonly removed: Removal[]; readonly reclaimedBytes: number }>;
  /** What takes room, and who needs it: from the records, but for the sizes of blobs. */
  holdings(): Promise<Holdings>;
  /** Removes those of the images that still nobody holds and nobody has used since; with the reason in the events. */
  collectImages(
    chosen: readonly { readonly id: Digest; readonly usedNs: bigint }[],
    reason: string,
  ): Promise<{ readonly removed: Removal[]; readonly reclaimedBytes: number }>;
  /** Compares the store with its records, and every blob with its digest. `repair` removes what belongs to nobody, sets damaged blobs aside and unpacks lost layers again; it takes nothing that cannot be had again. */
  check(
    options: { readonly repair: boolean; readonly isContainer: (id: string) => boolean },
    signal: AbortSignal,
  ): AsyncIterable<Finding>;
  /** The digests of all blobs, sorted. */
  blobs(): Promise<readonly Digest[]>;
  /** Compares one blob with its digest, reading no faster than that. */
  checkBlob(digest: Digest, bytesPerSecond: number, signal: AbortSignal): Promise<Finding | undefined>;
  /** Makes the container's writable layer, of at most so many bytes if they are given, and takes a hold on the image, durable until `dropRoot`. */
  createRoot(imageId: Digest, containerId: string, sizeBytes?: number): Promise<RootFilesystem>;
  /** Resolves when the writable layers made until now are there after a power cut. */
  rootsSettled(): Promise<void>;
  /** The root of a container that has one. */
  openRoot(containerId: string): RootFilesystem;
  /** Whether a container's writable layer is there, and not only known of. */
  hasRoot(containerId: string): boolean;
  /** Removes the writable layer and the hold; quiet when there is none. */
  dropRoot(containerId: string): Promise<void>;
  /** Containers that hold the image, for the conflict messages. */
  holdersOf(imageId: Digest): readonly string[];
  /** What differs between a container's root and its image, sorted by path; also while it runs. Directories above a change are changes. */
  rootChanges(containerId: string): Promise<readonly RootChange[]>;
  /** Bytes of containers' writable layers by container; one without a root is left out. `settled`: nobody writes to it now, and whoever will asks for its mounts first, so that the size is kept. */
  rootSizes(
    asked: readonly { readonly container: string; readonly settled: boolean }[],
  ): Promise<ReadonlyMap<string, number>>;
  /** The first lines of a file in a container's or image's root (etc/passwd, etc/group), resolved so that no symlink leaves it; undefined when absent or no plain file. At most 1 MiB. */
  readRootFile(containerId: string, path: string): Promise<string | undefined>;
  /** Removes what a crash left (half downloads past their bound, unreferenced snapshots, roots whose container is unknown) and collects what nothing holds. Roots that are made after the call are safe; every one made before must be of a container in the set. */
  collect(liveContainers: ReadonlySet<string>): Promise<{ readonly reclaimedBytes: number }>;
  /** How many images there are. */
  count(): number;
  /** Bytes of the unpacked layers: of all, each once, and by image of those that another image has too. From the records alone. */
  layerUse(): { readonly layersBytes: number; readonly sharedBytes: ReadonlyMap<Digest, number> };
}

/** What the room is built from. */
export interface ImagesOptions {
  readonly database: Database;
  readonly shim: Shim;
  readonly paths: Paths;
  readonly clock: Clock;
  readonly events: EventSink;
  /** Of the machine's boot: what was not synced in another one is not believed. */
  readonly bootId: string;
  /** Hosts or CIDRs that may be spoken to without TLS (loopback always may). */
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  readonly maxConcurrentDownloads: number;
  /** Path of the archive with the built-in `hello` image, found when nobody tagged another. */
  readonly embeddedArchive?: string;
}

export { openImages } from "./open.ts";
export { chainIdsOf } from "./chain-id.ts";
export { decompress } from "./decompress.ts";
export { openWeb } from "./registry/web.ts";
export type { Answer as WebAnswer, Transport as WebTransport } from "./registry/transport.ts";
export { matchesReference } from "./match-reference.ts";
export type { Layers, LookedUp, StackLayer } from "./layers.ts";
export type { Lease } from "./leases.ts";
export type { ContainerDefaults };
