import type { Digest } from "#core/digest";
import type { EventSink } from "#core/event";
import { Fault } from "#core/fault";
import { type ImageConfig, nativePlatform, type Platform } from "#core/oci";
import { familiar, familiarName, type Reference, withDefaultTag } from "#core/reference";
import type { AdoptImage } from "./adopt.ts";
import type { Catalog } from "./catalog.ts";
import { chainIdsOf } from "./chain-id.ts";
import type { ContentStore } from "./content.ts";
import type { Progress, PullRequest, RegistryAuth, RemoteContent } from "./images.ts";
import type { Leases } from "./leases.ts";
import { progressFeed, type Report } from "./progress-feed.ts";
import { resolveFault } from "./pull-faults.ts";
import { bringConfig, bringLayers, type LayerTools } from "./pull-layers.ts";
import { remoteContent } from "./remote-content.ts";
import { resolve, type Resolved } from "./pull-resolve.ts";
import { Places } from "#core/places";
import { SharedWork } from "./pull-shared.ts";
import type { RegistryClient } from "./registry/client.ts";
import { parseConfig } from "./registry/document.ts";
import type { TransferStep } from "./registry/transfer.ts";
import { platformText, rankOf, runnableOn } from "./registry/platform.ts";
import { maxManifestBytes, type Repository } from "./registry/repository.ts";
import type { Unpacker } from "./unpack.ts";

/** Brings images from registries. */
export interface Puller {
  /** As `Images.pull`: progress in Docker's words; Faults as those of the registry client, `notFound` in Docker's wording. Leaving the iteration cancels this pull, not those that share its downloads. */
  pull(request: PullRequest, signal: AbortSignal): AsyncIterable<Progress>;
  /** As `Images.remote`; its downloads are those of pulls, bound and all. */
  remote(reference: Reference, auth?: RegistryAuth): RemoteContent;
}

/** What the puller is built from. */
export interface PullerOptions {
  readonly registry: RegistryClient;
  readonly content: ContentStore;
  readonly catalog: Pick<Catalog, "resolve" | "image" | "blobsOf">;
  readonly leases: Pick<Leases, "open">;
  readonly unpacker: Unpacker;
  readonly adopt: AdoptImage;
  readonly events: EventSink;
  readonly maxConcurrentDownloads: number;
  /** The first wait before a broken download is resumed; doubles up to 15 s. Default 1 s. */
  readonly retryDelayMs?: number;
}

/** Makes the puller of a daemon: one, so that pulls share downloads and their bound. */
export function createPuller(options: PullerOptions): Puller {
  const shared: Shared = {
    ...options,
    retryDelayMs: options.retryDelayMs ?? 1000,
    downloads: new SharedWork<TransferStep>(),
    places: new Places(options.maxConcurrentDownloads),
  };
  return {
    pull: (request, signal) => progressFeed((report, signal) => pullAll(shared, request, report, signal), signal),
    remote: (reference, auth) => remoteContent(shared, reference, auth),
  };
}

interface Shared extends PullerOptions {
  readonly retryDelayMs: number;
  readonly downloads: SharedWork<TransferStep>;
  readonly places: Places;
}

async function pullAll(shared: Shared, request: PullRequest, report: Report, signal: AbortSignal): Promise<void> {
  const repository = shared.registry.repository(request.reference, request.auth);
  const { domain, path } = request.reference;
  const whole: Reference = request.allTags === true ? { domain, path } : withDefaultTag(request.reference);
  const references = request.allTags === true ? await everyTag(repository, whole, signal) : [whole];
  let isNewer = false;
  for (const reference of references) {
    if (await pullOne(shared, repository, { ...request, reference }, report, signal)) isNewer = true;
  }
  const name = familiar(whole);
  report({
    status: isNewer ? `Status: Downloaded newer image for ${name}` : `Status: Image is up to date for ${name}`,
  });
}

async function everyTag(repository: Repository, name: Reference, signal: AbortSignal): Promise<Reference[]> {
  try {
    const tags = await repository.tags(signal);
    if (tags.length === 0) throw new Fault("notFound", `No tags available in remote repository ${familiarName(name)}`);
    return tags.map((tag) => ({ domain: name.domain, path: name.path, tag }));
  } catch (error) {
    throw resolveFault(error, name);
  }
}

/** Pulls one reference; answers whether it names another image than before. */
async function pullOne(
  shared: Shared,
  repository: Repository,
  request: PullRequest,
  report: Report,
  signal: AbortSignal,
): Promise<boolean> {
  await using lease = shared.leases.open("retry");
  const { reference } = request;
  const platform = request.platform ?? nativePlatform();
  const before = shared.catalog.resolve(reference);
  const tools = { ...shared, repository, lease, report, isKnown: before !== undefined };
  const found = await resolve(tools, reference, platform, signal).catch((error: unknown) => {
    throw resolveFault(error, reference);
  });
  report({ id: reference.digest ?? reference.tag ?? "latest", status: `Pulling from ${reference.path}` });
  const manifest = await bringImage(tools, found, request, signal);
  const isSame = before === found.manifest.config.digest;
  const id = await shared.adopt(
    {
      manifest,
      alsoKeep: [...found.indexes, found.digest],
      tags: reference.digest === undefined && !isSame ? [reference] : [],
      repoDigests: [{ repository: reference, digest: found.top }],
    },
    lease,
  );
  report({ status: `Digest: ${found.top}` });
  emitPull(shared, reference, shared.catalog.image(id)?.config);
  return !isSame;
}

/** Brings what is missing and answers the manifest to be adopted: an image that is here already under another one (its layers compressed otherwise) keeps that, whose blobs we have. */
async function bringImage(
  tools: LayerTools & Shared,
  found: Resolved,
  request: PullRequest,
  signal: AbortSignal,
): Promise<Digest> {
  const { config: descriptor } = found.manifest;
  if (descriptor.size > maxManifestBytes) {
    throw new Fault("tooLarge", `the image config is larger than ${maxManifestBytes} bytes`);
  }
  await bringConfig(tools, descriptor, signal);
  const config = parseConfig(await tools.content.read(descriptor.digest), found.manifest);
  refuseForeign(config);
  const held = holdKnown(tools, descriptor.digest);
  // One that has lost blobs (`system check` sets damaged ones aside) or layers gets them again.
  const known = isWhole(tools, descriptor.digest, config) ? held : undefined;
  if (known === undefined) await bringLayers(tools, found.manifest, config, signal);
  warnOfPlatform(tools.report, request, config);
  return known ?? found.digest;
}

function isWhole({ catalog, content, unpacker }: LayerTools & Shared, id: Digest, config: ImageConfig): boolean {
  return (
    catalog.blobsOf(id).every((blob) => content.has(blob)) &&
    chainIdsOf(config.rootfs.diff_ids).every((chainId) => unpacker.has(chainId))
  );
}

/** Holds an image that is here, so that nobody removes it under the pull; answers its manifest. */
function holdKnown({ catalog, lease }: LayerTools & Shared, id: Digest): Digest | undefined {
  const known = catalog.image(id);
  if (known === undefined) return undefined;
  for (const blob of catalog.blobsOf(id)) lease.protect(blob);
  if (known.topChain !== undefined) lease.protectLayer(known.topChain);
  return known.manifest;
}

function refuseForeign(config: ImageConfig): void {
  if (config.os === "linux") return;
  throw new Fault(
    "unsupported",
    `image operating system "${config.os}" cannot be used on this platform: operating system is not supported`,
  );
}

function warnOfPlatform(report: Report, { platform, reference }: PullRequest, config: ImageConfig): void {
  if (platform === undefined || config.architecture === "" || rankOf(config, runnableOn(platform)) !== undefined)
    return;
  const [wanted, actual] = [platformText(platform), platformText(config satisfies Platform)];
  report({
    status: `WARNING: image with reference ${familiar(reference)} was found but does not match the specified platform: wanted ${wanted}, actual: ${actual}`,
  });
}

function emitPull(shared: Shared, reference: Reference, config: ImageConfig | undefined): void {
  const attributes = { ...config?.config?.Labels, name: familiarName(reference) };
  shared.events.emit({ type: "image", action: "pull", actorId: familiar(reference), attributes });
}
