import type { Digest } from "#core/digest";
import type { Event, EventSink } from "#core/event";
import { Fault } from "#core/fault";
import { shortId } from "#core/ids";
import { familiar } from "#core/reference";
import { type Catalog, type ImageName, type ImageRecord, nameOf, referenceOf } from "./catalog.ts";
import { findImage } from "./find.ts";
import { imageEvent } from "./image-event.ts";
import type { Removal } from "./images.ts";
import type { Keeper } from "./keeper.ts";

/** What removing works with. */
export interface RemoveParts {
  readonly catalog: Catalog;
  readonly keeper: Keeper;
  readonly events: EventSink;
}

/** How to remove. */
export interface RemoveOptions {
  readonly force: boolean;
  /** Containers that run: their images cannot go, even by force. */
  readonly running: ReadonlySet<string>;
}

/** What was removed from the records so far, and the blobs that may have come free by it. */
export interface Ledger {
  readonly removals: Removal[];
  readonly blobs: Digest[];
  /** To be told once the transaction is done: one that fails has removed nothing. */
  readonly events: Omit<Event, "timeNs">[];
}

/** Takes from the records what `work` says, all of it or nothing, and tells of it. */
export function removeFromRecords(
  { catalog, events }: Pick<RemoveParts, "catalog" | "events">,
  work: (ledger: Ledger) => void,
): Ledger {
  const ledger: Ledger = { removals: [], blobs: [], events: [] };
  catalog.transaction(() => work(ledger));
  for (const event of ledger.events) events.emit(event);
  return ledger;
}

/**
 * `docker rmi`, by Docker's rules. By name: the name goes, and the image with its last name. By id: the image goes, when
 * its names are all of one repository. A container's hold stops the last name from going, unless forced; then the image
 * goes and the container keeps its layers. All is decided and taken from the records in one turn; files follow.
 */
export async function removeImage(parts: RemoveParts, nameOrId: string, options: RemoveOptions): Promise<Removal[]> {
  const { image, reference } = findImage(parts.catalog, nameOrId);
  const ledger = removeFromRecords(parts, (ledger) => {
    if (reference === undefined) removeById(parts, image, options, ledger);
    else removeByName(parts, image, nameOf(reference), nameOrId, options, ledger);
  });
  await sweep(parts, ledger);
  return ledger.removals;
}

/** Takes one name away. */
function untag({ catalog }: Pick<RemoveParts, "catalog">, image: ImageRecord, name: ImageName, ledger: Ledger): void {
  catalog.removeName(name);
  ledger.events.push(imageEvent(image, image.id, image.id, "untag"));
  ledger.removals.push({ untagged: familiar(referenceOf(name)) });
}

/** Takes an image away with the names it has left; a built-in one stays, hidden. */
export function forget(parts: Pick<RemoveParts, "catalog">, image: ImageRecord, ledger: Ledger): void {
  const { catalog } = parts;
  for (const name of catalog.namesOf(image.id)) untag(parts, image, name, ledger);
  if (image.embedded) return;
  ledger.blobs.push(...catalog.blobsOf(image.id));
  catalog.forget(image.id);
  ledger.events.push(imageEvent(image, image.id, image.id, "delete"));
  ledger.removals.push({ deleted: image.id });
}

/** Removes the layers and blobs that came free; the layers go into the ledger. Answers the bytes. */
export async function sweep({ catalog, keeper }: RemoveParts, ledger: Ledger): Promise<number> {
  await catalog.settled();
  const { layers, reclaimedBytes } = await keeper.collectLayers();
  for (const layer of layers) ledger.removals.push({ deleted: layer.chainId });
  await keeper.collectBlobs(ledger.blobs);
  return reclaimedBytes;
}

function removeByName(
  parts: RemoveParts,
  image: ImageRecord,
  name: ImageName,
  asked: string,
  { force, running }: RemoveOptions,
  ledger: Ledger,
): void {
  const { catalog } = parts;
  const holders = catalog.holdersOf(image.id);
  const [holder] = holders;
  if (!force && holder !== undefined && isOneRepository(catalog.namesOf(image.id))) {
    throw new Fault(
      "conflict",
      `conflict: unable to remove repository reference "${asked}" (must force) - container ${shortId(holder)} is using its referenced image ${shortId(image.id)}`,
    );
  }
  untag(parts, image, name, ledger);
  if (name.kind === "tag") untagDigestsLeft(parts, image, name.repository, ledger);
  const isKept = force ? holders.some((container) => running.has(container)) : holders.length > 0;
  if (!isKept && catalog.namesOf(image.id).length === 0) forget(parts, image, ledger);
}

/** Digest names without a tag beside them in their repository mean nothing to a person: they go with the last tag. */
function untagDigestsLeft(parts: RemoveParts, image: ImageRecord, repository: string, ledger: Ledger): void {
  const left = parts.catalog.namesOf(image.id).filter((name) => name.repository === repository);
  if (left.some((name) => name.kind === "tag")) return;
  for (const name of left) untag(parts, image, name, ledger);
}

function removeById(parts: RemoveParts, image: ImageRecord, { force, running }: RemoveOptions, ledger: Ledger): void {
  const holders = parts.catalog.holdersOf(image.id);
  const runner = holders.find((container) => running.has(container));
  if (runner !== undefined) {
    throw conflict(image, "cannot be forced", `image is being used by running container ${shortId(runner)}`);
  }
  if (!force && !isOneRepository(parts.catalog.namesOf(image.id))) {
    throw conflict(image, "must be forced", "image is referenced in multiple repositories");
  }
  const [holder] = holders;
  if (!force && holder !== undefined) {
    throw conflict(image, "must be forced", `image is being used by stopped container ${shortId(holder)}`);
  }
  forget(parts, image, ledger);
}

/** Whether taking the names away means taking one name away: at most one tag, and digests of that tag's repository alone. */
function isOneRepository(names: readonly ImageName[]): boolean {
  if (names.length <= 1) return true;
  const tags = names.filter((name) => name.kind === "tag");
  return tags.length <= 1 && new Set(names.map((name) => name.repository)).size === 1;
}

function conflict(image: ImageRecord, way: "cannot be forced" | "must be forced", why: string): Fault {
  return new Fault("conflict", `conflict: unable to delete ${shortId(image.id)} (${way}) - ${why}`);
}
