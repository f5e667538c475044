import type { Digest } from "#core/digest";
import type { Reference } from "#core/reference";
import { type Catalog, repositoryOf } from "./catalog.ts";
import type { ContentStore } from "./content.ts";
import type { Lease, Leases } from "./leases.ts";
import type { Report } from "./progress-feed.ts";
import { causeOf } from "./pull-faults.ts";
import type { Places } from "#core/places";
import type { SharedWork } from "./pull-shared.ts";
import { type PackedLayer, packLayer } from "./push-pack.ts";
import type { BlobToPush } from "./push-plan.ts";
import type { Target } from "./registry/target.ts";
import { upload } from "./registry/upload.ts";
import type { TransferStep } from "./registry/transfer.ts";

/** What pushing blobs needs; uploads and places are shared by all pushes. */
export interface BlobTools {
  readonly target: Target;
  readonly repository: Pick<Reference, "domain" | "path">;
  /** Of the user: nobody's upload counts for somebody else. */
  readonly identity: string;
  readonly content: ContentStore;
  readonly catalog: Pick<Catalog, "repositoriesWith" | "packedLayer" | "notePacked">;
  readonly leases: Pick<Leases, "open">;
  readonly uploads: SharedWork<TransferStep>;
  readonly places: Places;
  readonly retryDelayMs: number;
  readonly report: Report;
}

/** Puts blobs into a repository (in parallel, bounded, each once over all pushes), with Docker's progress lines. All have ended when this fails. */
export async function pushBlobs(tools: BlobTools, blobs: readonly BlobToPush[], signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  for (const { id } of blobs) if (id !== undefined) tools.report({ id, status: "Preparing" });
  const work = blobs.map(async (blob) => await pushShared(tools, blob, both));
  for (const each of work) each.catch(() => stop.abort());
  const outcomes = await Promise.allSettled(work);
  if (outcomes.some((outcome) => outcome.status === "rejected")) throw causeOf(outcomes);
}

async function pushShared(tools: BlobTools, blob: BlobToPush, signal: AbortSignal): Promise<void> {
  const { identity, places, report, uploads, repository } = tools;
  const { id, descriptor, pack } = blob;
  await uploads.run(
    `${repositoryOf(repository)} ${identity} ${pack ? "packed " : ""}${descriptor.digest}`,
    async (step, signal) => {
      if (places.isFull) step({ status: "Waiting" });
      using _place = await places.take(signal);
      // Its own: it may outlive the push that began it, when another one waits for it.
      await using lease = tools.leases.open("discard");
      lease.protect(descriptor.digest);
      step({ status: await pushBlob(tools, blob, { lease, report: step }, signal) });
    },
    (step) => id !== undefined && report({ id, ...step }),
    signal,
  );
}

interface Means {
  readonly lease: Lease;
  readonly report: (step: TransferStep) => void;
}

/** Brings one blob there; answers how, in Docker's words. */
async function pushBlob(
  tools: BlobTools,
  { descriptor, pack }: BlobToPush,
  means: Means,
  signal: AbortSignal,
): Promise<string> {
  const { catalog, target } = tools;
  const known = pack
    ? catalog.packedLayer(descriptor.digest)
    : { digest: descriptor.digest, sizeBytes: descriptor.size };
  if (known !== undefined && (await target.has(known.digest, signal))) return "Layer already exists";
  const from = mountable(tools, descriptor.digest);
  if (!pack) return await send(tools, { digest: descriptor.digest, sizeBytes: descriptor.size }, from, means, signal);
  if (known !== undefined && from !== undefined && (await isMounted(tools, known.digest, from, signal)))
    return `Mounted from ${from}`;
  const packed = await packedAnew(tools, descriptor, known, means, signal);
  catalog.notePacked(descriptor.digest, packed);
  if (packed.digest !== known?.digest && (await target.has(packed.digest, signal))) return "Layer already exists";
  return await send(tools, packed, undefined, means, signal);
}

/** The packed layer, in the store under the lease. */
async function packedAnew(
  { content }: BlobTools,
  layer: BlobToPush["descriptor"],
  known: PackedLayer | undefined,
  { lease, report }: Means,
  signal: AbortSignal,
): Promise<PackedLayer> {
  if (known !== undefined) {
    lease.protect(known.digest);
    if (content.has(known.digest)) return known;
  }
  const total = layer.size;
  return await packLayer(content, layer, lease, (current) => report({ status: "Preparing", current, total }), signal);
}

async function send(
  { content, target, retryDelayMs }: BlobTools,
  { digest, sizeBytes: size }: PackedLayer,
  from: string | undefined,
  { report }: Means,
  signal: AbortSignal,
): Promise<string> {
  const source = { digest, size, open: (fromByte: number) => content.stream(digest, { fromByte }) };
  const outcome = await upload({ target, retryDelayMs, report }, source, from, signal);
  return outcome === "mounted" ? `Mounted from ${from ?? ""}` : "Pushed";
}

async function isMounted({ target }: BlobTools, digest: Digest, from: string, signal: AbortSignal): Promise<boolean> {
  const begun = await target.begin(digest, from, signal);
  if (begun === "mounted") return true;
  await begun.cancel(signal);
  return false;
}

/** Another repository of the same registry that is known to have the blob; one of the same owner first, as that may more likely be read. */
function mountable({ catalog, repository }: BlobTools, blob: Digest): string | undefined {
  const here = repositoryOf(repository);
  const prefix = `${repository.domain}/`;
  const paths = catalog
    .repositoriesWith(blob)
    .filter((name) => name !== here && name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
  const owner = repository.path.split("/")[0] ?? "";
  return paths.find((path) => path.split("/")[0] === owner) ?? paths[0];
}
