import type { Digest } from "#core/digest";
import { Fault, isFault } from "#core/fault";
import type { Descriptor, Index, Manifest, Platform } from "#core/oci";
import type { Reference } from "#core/reference";
import type { ContentStore } from "./content.ts";
import type { Lease } from "./leases.ts";
import { type ImageDocument, isAttestation, isIndexType, parseDocument } from "./registry/document.ts";
import { platformText, rankOf, runnableOn } from "./registry/platform.ts";
import { maxManifestBytes, type RemoteDocument, type Repository } from "./registry/repository.ts";

/** The image that a reference names on a platform. */
export interface Resolved {
  /** Digest of what the reference itself names: the index if there is one. */
  readonly top: Digest;
  readonly digest: Digest;
  readonly manifest: Manifest;
  /** The indexes on the way to the manifest; all are in the content store. */
  readonly indexes: readonly Digest[];
}

/** What resolving needs. */
export interface ResolveTools {
  readonly repository: Repository;
  readonly content: ContentStore;
  readonly lease: Lease;
  /** Whether the reference names something here already, so that asking for its digest alone may save the fetch. */
  readonly isKnown: boolean;
}

/** Fetches what the reference names, through nested indexes, to the manifest for the platform; stores the documents. Faults: `notFound` when nothing fits the platform. */
export async function resolve(
  tools: ResolveTools,
  reference: Reference,
  platform: Platform,
  signal: AbortSignal,
): Promise<Resolved> {
  const top = await fetchTop(tools, reference, signal);
  const document = parseDocument(top.bytes, top.mediaType);
  const search = { tools, runnable: runnableOn(platform), indexes: [], seen: [], visits: 0 };
  const found = await find(search, top.digest, document, signal);
  if (found === undefined) throw noMatch(platform, search.seen);
  return { top: top.digest, ...found, indexes: search.indexes };
}

/** Stores a small verified document, if it is not here yet. */
export async function keepDocument(
  tools: Pick<ResolveTools, "content" | "lease">,
  digest: Digest,
  bytes: Uint8Array,
): Promise<void> {
  tools.lease.protect(digest);
  if (tools.content.has(digest)) return;
  await using ingest = await tools.content.ingest(digest, bytes.length);
  if (ingest.offsetBytes < bytes.length) await ingest.write(bytes.subarray(ingest.offsetBytes));
  await ingest.commit();
}

/** A limit to indexes within indexes within indexes; nobody means it well. */
const maxDocuments = 16;

interface Search {
  readonly tools: ResolveTools;
  readonly runnable: readonly Platform[];
  readonly indexes: Digest[];
  readonly seen: string[];
  visits: number;
}

type Found = Pick<Resolved, "digest" | "manifest">;

async function fetchTop(tools: ResolveTools, reference: Reference, signal: AbortSignal): Promise<RemoteDocument> {
  if (reference.digest !== undefined) return await fetchByDigest(tools, reference.digest, tools.isKnown, signal);
  const tag = reference.tag ?? "latest";
  if (tools.isKnown) {
    const digest = await tools.repository.digestOf(tag, signal).catch(unlessCancelled);
    if (digest !== undefined) {
      tools.lease.protect(digest);
      if (tools.content.has(digest)) return await fetchByDigest(tools, digest, true, signal);
    }
  }
  const document = await tools.repository.manifest(tag, signal);
  await keepDocument(tools, document.digest, document.bytes);
  return document;
}

async function fetchByDigest(
  tools: ResolveTools,
  digest: Digest,
  mayUseOurs: boolean,
  signal: AbortSignal,
): Promise<RemoteDocument> {
  tools.lease.protect(digest);
  if (mayUseOurs && tools.content.has(digest)) {
    return { digest, mediaType: "", bytes: await tools.content.read(digest, maxManifestBytes) };
  }
  const document = await tools.repository.manifest(digest, signal);
  await keepDocument(tools, document.digest, document.bytes);
  return document;
}

/** Whatever is wrong with a short cut, the long way will tell. */
function unlessCancelled(error: unknown): undefined {
  if (isFault(error, "cancelled")) throw error;
  return undefined;
}

async function find(
  search: Search,
  digest: Digest,
  document: ImageDocument,
  signal: AbortSignal,
): Promise<Found | undefined> {
  if (document.kind === "manifest") return { digest, manifest: document.manifest };
  search.visits += 1;
  if (search.visits > maxDocuments) throw new Fault("invalid", "the image's indexes are nested without end");
  for (const entry of ordered(document.index, search)) {
    const inner = await fetchByDigest(search.tools, entry.digest, true, signal);
    const type = inner.mediaType || entry.mediaType;
    const found = await find(search, inner.digest, parseDocument(inner.bytes, type), signal);
    if (found === undefined) continue;
    search.indexes.push(digest);
    return found;
  }
  return undefined;
}

/** The entries that may lead to the image, best first: by platform, then those that say none, then further indexes. */
function ordered(index: Index, search: Search): Descriptor[] {
  const ranked: { readonly entry: Descriptor; readonly rank: number }[] = [];
  for (const entry of index.manifests.filter((entry) => !isAttestation(entry))) {
    if (entry.platform !== undefined) search.seen.push(platformText(entry.platform));
    const rank = entry.platform === undefined ? search.runnable.length : rankOf(entry.platform, search.runnable);
    if (rank !== undefined) ranked.push({ entry, rank: isIndexType(entry.mediaType) ? rank + 1000 : rank });
  }
  return ranked.sort((a, b) => a.rank - b.rank).map(({ entry }) => entry);
}

function noMatch(platform: Platform, seen: readonly string[]): Fault {
  const offered = [...new Set(seen.filter((text) => text !== ""))].slice(0, 20).join(", ");
  return new Fault("notFound", `no matching manifest for ${platformText(platform)} in the manifest list entries`, {
    remedy: offered === "" ? "The image has no entry for any platform." : `The image is made for ${offered}.`,
  });
}
