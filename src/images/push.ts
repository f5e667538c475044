import { type Digest, isDigest } from "#core/digest";
import type { EventSink } from "#core/event";
import { Fault } from "#core/fault";
import type { Platform } from "#core/oci";
import { canonical, familiar, familiarName, type Reference, withDefaultTag } from "#core/reference";
import { type Catalog, type ImageRecord, nameOf, repositoryOf } from "./catalog.ts";
import type { ContentStore } from "./content.ts";
import type { Progress, PushedTag, PushRequest } from "./images.ts";
import type { Lease, Leases } from "./leases.ts";
import { progressFeed, type Report } from "./progress-feed.ts";
import { Places } from "#core/places";
import { SharedWork } from "./pull-shared.ts";
import { chooseDocument } from "./push-choice.ts";
import { type BlobTools, pushBlobs } from "./push-blobs.ts";
import { packedManifest } from "./push-pack.ts";
import { type DocumentToPush, planPush, type PushPlan } from "./push-plan.ts";
import type { RegistryClient } from "./registry/client.ts";
import { credentialsOf, fingerprint } from "./registry/credentials.ts";
import type { Target } from "./registry/target.ts";
import type { TransferStep } from "./registry/transfer.ts";

/** Puts images into registries. */
export interface Pusher {
  /** As `Images.push`. Leaving the iteration cancels this push, not those that share its uploads. */
  push(request: PushRequest, signal: AbortSignal): AsyncIterable<Progress>;
}

/** What the pusher is built from. */
export interface PusherOptions {
  readonly registry: Pick<RegistryClient, "target">;
  readonly content: ContentStore;
  readonly catalog: Catalog;
  readonly leases: Pick<Leases, "open">;
  readonly events: EventSink;
  /** The first wait before a broken upload is resumed; doubles up to 15 s. Default 1 s. */
  readonly retryDelayMs?: number;
}

/** Makes the pusher of a daemon: one, so that pushes share uploads and their bound. */
export function createPusher(options: PusherOptions): Pusher {
  const shared: Shared = {
    ...options,
    retryDelayMs: options.retryDelayMs ?? 1000,
    uploads: new SharedWork<TransferStep>(),
    places: new Places(maxConcurrentUploads),
  };
  return {
    push: (request, signal) => progressFeed((report, signal) => pushAll(shared, request, report, signal), signal),
  };
}

/** Docker's number. */
const maxConcurrentUploads = 5;

interface Shared extends PusherOptions {
  readonly retryDelayMs: number;
  readonly uploads: SharedWork<TransferStep>;
  readonly places: Places;
}

async function pushAll(shared: Shared, request: PushRequest, report: Report, signal: AbortSignal): Promise<void> {
  const { domain, path } = request.reference;
  const name: Reference = { domain, path };
  report({ status: `The push refers to repository [${canonical(name)}]` });
  const target = shared.registry.target(name, request.auth);
  for (const reference of referencesIn(shared, request)) {
    await pushOne(shared, target, { ...request, reference }, report, signal);
  }
  const whole = request.allTags === true ? name : withDefaultTag(request.reference);
  const image = imageOf(shared, withDefaultTag(request.reference));
  const attributes = { ...image?.config.config?.Labels, name: familiarName(name) };
  shared.events.emit({ type: "image", action: "push", actorId: familiar(whole), attributes });
}

function referencesIn({ catalog }: Shared, { reference, allTags, document }: PushRequest): Reference[] {
  const whole = withDefaultTag(reference);
  if (document !== undefined) return [whole];
  const tags = catalog.tagsIn(repositoryOf(reference));
  if (allTags === true && tags.length > 0) {
    return tags.map((tag) => ({ domain: reference.domain, path: reference.path, tag }));
  }
  if (allTags !== true && catalog.resolve(whole) !== undefined) return [whole];
  if (tags.length > 0) throw new Fault("notFound", `tag does not exist: ${familiar(whole)}`);
  throw new Fault("notFound", `An image does not exist locally with the tag: ${familiarName(reference)}`, {
    remedy: `Name it so first: docker tag IMAGE ${familiar(whole)}`,
  });
}

function imageOf({ catalog }: Shared, reference: Reference): ImageRecord | undefined {
  const id = catalog.resolve(reference);
  return id === undefined ? undefined : catalog.image(id);
}

async function pushOne(
  shared: Shared,
  target: Target,
  request: PushRequest,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  await using lease = shared.leases.open("discard");
  const { reference } = request;
  const image = imageOf(shared, reference);
  if (image !== undefined) for (const blob of shared.catalog.blobsOf(image.id)) lease.protect(blob);
  const plan = await planned(shared, image, request, lease);
  const tools: BlobTools = {
    ...shared,
    target,
    repository: reference,
    identity: fingerprint(credentialsOf(request.auth)),
    report,
  };
  await pushBlobs(tools, plan.blobs, signal);
  const documents = plan.packs ? await packed(shared, plan, lease) : plan.documents;
  const top = documents.at(-1);
  if (top === undefined) throw new Error("a push without a document");
  const name = reference.digest ?? reference.tag ?? "latest";
  if (isDigest(name) && name !== top.digest) throw otherDigest(reference);
  for (const document of documents) {
    await target.putManifest(document === top ? name : document.digest, document, signal);
  }
  if (image !== undefined) await remember(shared, image, reference, documents, plan);
  report({ status: `${name}: digest: ${top.digest} size: ${top.bytes.length}` });
  const pushed: PushedTag = { tag: name, digest: top.digest, sizeBytes: top.bytes.length };
  report({ pushed });
}

async function planned(
  { catalog, content }: Shared,
  image: ImageRecord | undefined,
  { reference, platform, document }: { reference: Reference; platform?: Platform; document?: Digest },
  lease: Lease,
): Promise<PushPlan> {
  if (document !== undefined) return await planPush(content, { document, mayPack: false }, lease);
  if (image === undefined) throw new Fault("notFound", `tag does not exist: ${familiar(reference)}`);
  const wanted = { reference, ...(platform !== undefined && { platform }) };
  return await planPush(content, await chooseDocument(catalog, content, image, wanted), lease);
}

/** The image's own manifest with its plain layers as they are in the registry now; kept with the image, as the registry's name for it. */
async function packed({ catalog, content }: Shared, plan: PushPlan, lease: Lease): Promise<DocumentToPush[]> {
  const document = packedManifest(plan, (diffId) => catalog.packedLayer(diffId));
  await content.put(document.bytes, (digest) => lease.protect(digest));
  return [document];
}

/** The image is known by what was pushed from now on. */
async function remember(
  { catalog }: Shared,
  image: ImageRecord,
  reference: Reference,
  documents: readonly DocumentToPush[],
  { blobs }: PushPlan,
): Promise<void> {
  const top = documents.at(-1)?.digest;
  const isOfImage = documents.some(({ digest, names }) => digest === image.manifest || names.includes(image.id));
  if (top === undefined || !isOfImage || catalog.image(image.id) === undefined) return;
  const { domain, path } = reference;
  catalog.transaction(() => {
    const unkept = blobs.map(({ descriptor }) => descriptor.digest).filter((digest) => !catalog.keepsBlob(digest));
    catalog.keepWith(image.id, [...documents.map(({ digest }) => digest), ...unkept]);
    catalog.addName(image.id, nameOf({ domain, path, digest: top }));
  });
  await catalog.settled();
}

function otherDigest(reference: Reference): Fault {
  return new Fault("conflict", `${familiar(reference)} is not what is stored of the image here`, {
    remedy: "Pull it by this digest first, or push by a tag.",
  });
}
