import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import type { Descriptor, ImageConfig, Manifest } from "#core/oci";
import { chainIdsOf } from "./chain-id.ts";
import type { ContentStore } from "./content.ts";
import type { Progress } from "./images.ts";
import type { Lease } from "./leases.ts";
import { causeOf } from "./pull-faults.ts";
import type { Places } from "#core/places";
import type { SharedWork } from "./pull-shared.ts";
import { download } from "./registry/download.ts";
import type { TransferStep } from "./registry/transfer.ts";
import type { Repository } from "./registry/repository.ts";
import type { Unpacker } from "./unpack.ts";

/** What bringing layers needs; downloads and places are shared by all pulls. */
export interface LayerTools {
  readonly repository: Repository;
  readonly content: ContentStore;
  readonly unpacker: Unpacker;
  readonly lease: Lease;
  readonly downloads: SharedWork<TransferStep>;
  readonly places: Places;
  readonly retryDelayMs: number;
  readonly report: (progress: Progress) => void;
}

/** Downloads (in parallel, bounded) and unpacks (base first) what is missing of an image's layers, with Docker's progress lines. All have ended when this fails. */
export async function bringLayers(
  tools: LayerTools,
  manifest: Manifest,
  config: ImageConfig,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const layers = layersOf(tools, manifest, config);
  for (const layer of layers) {
    tools.report({ id: layer.id, status: layer.isHere ? "Already exists" : "Pulling fs layer" });
  }
  const missing = layers.filter((layer) => !layer.isHere);
  const downloads = missing.map((layer) => bringBlob(tools, layer, both));
  const work = [...downloads, unpackAll(tools, missing, downloads, both)];
  for (const each of work) each.catch(() => stop.abort());
  const outcomes = await Promise.allSettled(work);
  if (outcomes.some((outcome) => outcome.status === "rejected")) throw causeOf(outcomes);
}

/** Brings one blob that is no layer (the config): no progress, no waiting for a place. */
export async function bringConfig(tools: LayerTools, descriptor: Descriptor, signal: AbortSignal): Promise<void> {
  tools.lease.protect(descriptor.digest);
  if (tools.content.has(descriptor.digest)) return;
  await tools.downloads.run(
    descriptor.digest,
    (report, signal) => download({ ...tools, report }, descriptor, signal),
    () => {},
    signal,
  );
}

interface Layer {
  readonly id: string;
  readonly blob: Descriptor;
  readonly diffId: Digest;
  readonly parent: Digest | undefined;
  readonly isHere: boolean;
}

function layersOf(tools: LayerTools, manifest: Manifest, config: ImageConfig): Layer[] {
  const chain = chainIdsOf(config.rootfs.diff_ids);
  return manifest.layers.flatMap((blob, index) => {
    const [diffId, chainId] = [config.rootfs.diff_ids[index], chain[index]];
    if (diffId === undefined || chainId === undefined) return [];
    tools.lease.protect(blob.digest);
    tools.lease.protectLayer(chainId);
    const isHere = tools.content.has(blob.digest) && tools.unpacker.has(chainId);
    return [{ id: blob.digest.slice(7, 19), blob, diffId, parent: chain[index - 1], isHere }];
  });
}

async function bringBlob(tools: LayerTools, layer: Layer, signal: AbortSignal): Promise<void> {
  const { content, downloads, places, report } = tools;
  if (content.has(layer.blob.digest)) {
    report({ id: layer.id, status: "Download complete" });
    return;
  }
  await downloads.run(
    layer.blob.digest,
    async (step, signal) => {
      if (places.isFull) step({ status: "Waiting" });
      using _place = await places.take(signal);
      await download({ ...tools, report: step }, layer.blob, signal);
    },
    (step) => report({ id: layer.id, ...step }),
    signal,
  );
}

/** Asks for each layer's unpacking as soon as it is here and those below have been asked for; tells of completion base first. */
async function unpackAll(
  tools: LayerTools,
  layers: readonly Layer[],
  downloads: readonly Promise<void>[],
  signal: AbortSignal,
): Promise<void> {
  const asked: Promise<unknown>[] = [];
  let done: Promise<void> = Promise.resolve();
  try {
    for (const [index, layer] of layers.entries()) {
      await downloads[index];
      if (signal.aborted) throw new Fault("cancelled", "context canceled", { cause: signal.reason });
      const unpacked = tools.unpacker.unpack(layer, tools.lease, signal, (current, total) => {
        tools.report({ id: layer.id, status: "Extracting", current, total });
      });
      done = Promise.all([done, unpacked]).then(() => tools.report({ id: layer.id, status: "Pull complete" }));
      asked.push(unpacked, done);
      done.catch(() => {}); // awaited below
    }
    await done;
  } finally {
    await Promise.allSettled(asked);
  }
}
