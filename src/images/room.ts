import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import type { EventSink } from "#core/event";
import { Fault, isFault } from "#core/fault";
import type { Platform } from "#core/oci";
import { familiar, parseReference, type Reference, withDefaultTag } from "#core/reference";
import type { Shim } from "#host";
import { type Catalog, nameOf } from "./catalog.ts";
import { checkBlob } from "./check/check-blobs.ts";
import type { CheckRecords } from "./check/check-records.ts";
import { checkStore } from "./check/check.ts";
import { commitRoot } from "./commit.ts";
import { revealEmbedded } from "./embedded.ts";
import { filterImages } from "./filter-images.ts";
import { checkPlatform, type Found, findImage, isHidden } from "./find.ts";
import { historyOf } from "./history.ts";
import { holdings } from "./holdings.ts";
import { type LayerUse, layerUse } from "./layer-use.ts";
import type { Layers } from "./layers.ts";
import { imageEvent } from "./image-event.ts";
import { viewOf } from "./image-view.ts";
import type {
  Finding,
  HistoryStep,
  Holdings,
  Image,
  ImageFilters,
  Images,
  Progress,
  PullRequest,
  PushRequest,
  RegistryAuth,
  RemoteContent,
  Removal,
  RootChange,
  RootFilesystem,
} from "./images.ts";
import { importArchive } from "./import.ts";
import type { Keeper } from "./keeper.ts";
import { type LoadParts, loadArchive } from "./load.ts";
import { progressFeed } from "./progress-feed.ts";
import { collectImages, pruneImages } from "./prune.ts";
import type { Puller } from "./pull.ts";
import type { Pusher } from "./push.ts";
import type { RegistryClient } from "./registry/client.ts";
import { registryOf } from "./registry/server-address.ts";
import { removeImage } from "./remove.ts";
import { rootChanges } from "./root-changes.ts";
import { readFileInRoot } from "./root-file.ts";
import type { Roots } from "./roots.ts";
import { imagesToSave, saveImages } from "./save.ts";
import type { SnapshotDriver } from "./snapshots.ts";

/** The pieces that the room is put together from. */
export interface RoomParts extends LoadParts {
  readonly layers: Layers;
  readonly records: CheckRecords;
  readonly keeper: Keeper;
  readonly snapshots: SnapshotDriver;
  readonly roots: Roots;
  readonly puller: Puller;
  readonly pusher: Pusher;
  readonly registry: Pick<RegistryClient, "logIn">;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly shim: Shim;
  /** An empty folder that mounts of passing programs are made on, each in its own namespace. */
  readonly mountPoint: string;
}

/** The door's interface over the pieces; each does one thing and this decides nothing. */
export class ImageRoom implements Images {
  readonly layers: Layers;
  readonly #parts: RoomParts;
  readonly #catalog: Catalog;

  constructor(parts: RoomParts) {
    this.#parts = parts;
    this.layers = parts.layers;
    this.#catalog = parts.catalog;
  }

  find(nameOrId: string, platform?: Platform): Image {
    const found = this.#find(nameOrId);
    checkPlatform(found, platform, nameOrId);
    return viewOf(this.#catalog, found.image);
  }

  list(options: { readonly all: boolean; readonly filters: ImageFilters }): Image[] {
    const records = this.#catalog.images().filter((record) => !isHidden(this.#catalog, record));
    const views = records.map((record) => viewOf(this.#catalog, record));
    return filterImages(views, options.filters, (name) => this.find(name), this.#parts.clock);
  }

  history(nameOrId: string): HistoryStep[] {
    return historyOf(this.#catalog, this.#find(nameOrId).image);
  }

  pull(request: PullRequest, signal: AbortSignal): AsyncIterable<Progress> {
    return this.#parts.puller.pull(request, signal);
  }

  remote(reference: Reference, auth?: RegistryAuth): RemoteContent {
    return this.#parts.puller.remote(reference, auth);
  }

  push(request: PushRequest, signal: AbortSignal): AsyncIterable<Progress> {
    return this.#parts.pusher.push(request, signal);
  }

  async checkCredentials(auth: RegistryAuth, signal: AbortSignal): Promise<{ readonly identityToken?: string }> {
    const identityToken = await this.#parts.registry.logIn(registryOf(auth.serverAddress), auth, signal);
    return identityToken === undefined ? {} : { identityToken };
  }

  load(
    archive: AsyncIterable<Uint8Array>,
    options: { readonly quiet: boolean; readonly platform?: Platform },
    signal: AbortSignal,
  ): AsyncIterable<Progress> {
    const { quiet, platform } = options;
    return progressFeed(async (report, signal) => {
      const tell = (progress: Progress): void => {
        if (!quiet || progress.stream !== undefined) report(progress);
      };
      await loadArchive(this.#parts, archive, platform === undefined ? {} : { platform }, tell, signal);
    }, signal);
  }

  save(names: readonly string[], signal: AbortSignal): AsyncIterable<Uint8Array> {
    return saveImages(
      this.#parts,
      imagesToSave(this.#catalog, names, (name) => this.#find(name)),
      signal,
    );
  }

  async importArchive(
    archive: AsyncIterable<Uint8Array>,
    options: Parameters<Images["importArchive"]>[1],
    signal: AbortSignal,
  ): Promise<Digest> {
    return await importArchive(this.#parts, archive, options, signal);
  }

  async commitRoot(
    containerId: string,
    options: Parameters<Images["commitRoot"]>[1],
    signal: AbortSignal,
  ): Promise<Digest> {
    return await commitRoot(this.#parts, containerId, options, signal);
  }

  async tag(source: string, target: Reference): Promise<void> {
    if (target.digest !== undefined) throw new Fault("invalid", "refusing to create a tag with a digest reference");
    const { image } = this.#find(source);
    const tag = withDefaultTag(target);
    this.#catalog.addName(image.id, nameOf(tag));
    await this.#catalog.settled();
    this.#parts.events.emit(imageEvent(image, image.id, familiar(tag), "tag"));
  }

  async remove(nameOrId: string, options: Parameters<Images["remove"]>[1]): Promise<Removal[]> {
    this.#parts.roots.dropOwed();
    return await removeImage(this.#parts, nameOrId, { force: options.force, running: options.running ?? new Set() });
  }

  async prune(options: Parameters<Images["prune"]>[0]): ReturnType<Images["prune"]> {
    this.#parts.roots.dropOwed();
    return await pruneImages({ ...this.#parts, find: (name) => this.find(name) }, options);
  }

  async holdings(): Promise<Holdings> {
    this.#parts.roots.dropOwed();
    return await holdings(this.#parts);
  }

  async collectImages(...given: Parameters<Images["collectImages"]>): ReturnType<Images["collectImages"]> {
    return await collectImages(this.#parts, ...given);
  }

  check(...given: Parameters<Images["check"]>): AsyncIterable<Finding> {
    return checkStore(this.#parts, ...given);
  }

  async blobs(): Promise<readonly Digest[]> {
    return (await this.#parts.content.list()).sort();
  }

  async checkBlob(digest: Digest, bytesPerSecond: number, signal: AbortSignal): Promise<Finding | undefined> {
    return await checkBlob(this.#parts, digest, { repair: false, bytesPerSecond }, signal);
  }

  async createRoot(imageId: Digest, containerId: string, sizeBytes?: number): Promise<RootFilesystem> {
    const image = this.#catalog.image(imageId);
    if (image === undefined) throw new Fault("notFound", `No such image: ${imageId}`);
    return await this.#parts.roots.create(image, containerId, sizeBytes);
  }

  async rootsSettled(): Promise<void> {
    await this.#parts.roots.settle();
  }

  openRoot(containerId: string): RootFilesystem {
    return this.#parts.roots.open(containerId);
  }

  hasRoot(containerId: string): boolean {
    return this.#parts.roots.isThere(containerId);
  }

  async dropRoot(containerId: string): Promise<void> {
    const mayFree = await this.#parts.roots.drop(containerId);
    if (mayFree) await this.#parts.keeper.collectLayers();
  }

  holdersOf(imageId: Digest): readonly string[] {
    return this.#catalog.holdersOf(imageId);
  }

  async rootSizes(asked: Parameters<Images["rootSizes"]>[0]): Promise<ReadonlyMap<string, number>> {
    return await this.#parts.roots.sizes.measure(asked);
  }

  async rootChanges(containerId: string): Promise<RootChange[]> {
    const { roots, shim, mountPoint: target } = this.#parts;
    roots.open(containerId);
    return roots.isUntouched(containerId) ? [] : await rootChanges(shim, roots.viewsAt(containerId, target));
  }

  async readRootFile(containerId: string, path: string): Promise<string | undefined> {
    const { roots, shim, mountPoint: target } = this.#parts;
    const root = roots.topOf(containerId);
    if (root === undefined) throw new Fault("notFound", `container ${containerId} has no root filesystem`);
    if (!roots.isUntouched(containerId)) {
      return await readFileInRoot(shim, { target, mounts: roots.shownAt(containerId, target) }, path);
    }
    return await this.layers.readFile(root.topChain, path);
  }

  async collect(liveContainers: ReadonlySet<string>): Promise<{ readonly reclaimedBytes: number }> {
    await this.#parts.roots.dropAllBut(liveContainers);
    return { reclaimedBytes: (await this.#parts.keeper.collectAll()).reclaimedBytes };
  }

  count(): number {
    return this.#catalog.count();
  }

  layerUse(): LayerUse {
    return layerUse(this.#catalog);
  }

  /** As `findImage`; the built-in image answers to its name when nothing else does. */
  #find(nameOrId: string): Found {
    try {
      return findImage(this.#catalog, nameOrId);
    } catch (error) {
      if (!isFault(error, "notFound") || !/^(?:[a-z.]+\/)*hello(?::latest)?$/.test(nameOrId)) throw error;
      if (!revealEmbedded(this.#catalog, parseReference(nameOrId))) throw error;
      return findImage(this.#catalog, nameOrId);
    }
  }
}
