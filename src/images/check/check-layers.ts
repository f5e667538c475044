import { existsSync } from "node:fs";
import { mediaType } from "#core/oci";
import { asFault } from "#core/fault";
import type { LayerRecord } from "../catalog.ts";
import type { Finding } from "../images.ts";
import { checkLayerFiles } from "./check-layer-files.ts";
import type { CheckOptions, CheckParts } from "./check.ts";

type LayerParts = Pick<CheckParts, "catalog" | "content" | "keeper" | "records" | "shim" | "snapshots" | "unpacker">;

/** Layers whose folder is lost, which their blobs can bring again, or has changed, and folders of no layer. */
export async function* checkLayers(
  parts: LayerParts,
  { repair }: Pick<CheckOptions, "repair">,
  signal: AbortSignal,
): AsyncGenerator<Finding, void, void> {
  const { catalog, snapshots } = parts;
  for (const layer of baseFirst(catalog.layers())) {
    if (existsSync(snapshots.pathOf(layer.folder)) || catalog.layer(layer.chainId) === undefined) continue;
    yield repair ? await unpackAgain(parts, layer, signal) : lost(parts, layer);
  }
  const whole = catalog.layers().flatMap((layer) => {
    const blob = blobOf(parts, layer);
    return blob === undefined || !existsSync(snapshots.pathOf(layer.folder)) ? [] : [{ layer, blob }];
  });
  yield* checkLayerFiles(parts, whole, signal);
  for (const folder of await snapshots.list()) {
    if (catalog.hasFolder(folder)) continue;
    if (repair) await snapshots.remove(folder);
    const text = `folder ${snapshots.pathOf(folder)} belongs to no layer`;
    yield { kind: "stray layer", subject: folder, text, outcome: repair ? "repaired" : "repairable" };
  }
}

function lost(parts: LayerParts, layer: LayerRecord): Finding {
  const blob = blobOf(parts, layer);
  const finding = { kind: "missing layer", subject: layer.chainId, text: textOf(parts, layer) } as const;
  if (blob !== undefined) return { ...finding, outcome: "repairable", remedy: "--repair unpacks it again." };
  return { ...finding, outcome: "left", remedy: "Its blob is not here either: remove its images and pull them again." };
}

/** The record goes so that the layer can come, and comes again with the layer, or without it where it cannot be unpacked. */
async function unpackAgain(parts: LayerParts, layer: LayerRecord, signal: AbortSignal): Promise<Finding> {
  const { catalog, content, keeper, unpacker } = parts;
  const blob = blobOf(parts, layer);
  if (blob === undefined) return lost(parts, layer);
  const { chainId, diffId, parent } = layer;
  const finding = { kind: "missing layer", subject: chainId, text: textOf(parts, layer) } as const;
  await using lease = keeper.open("discard");
  lease.protect(blob);
  lease.protectLayer(chainId);
  if (parent !== undefined) lease.protectLayer(parent);
  catalog.removeLayer(chainId);
  try {
    const descriptor = { mediaType: mediaType.ociLayer, digest: blob, size: content.sizeBytesOf(blob) ?? 0 };
    await unpacker.unpack({ blob: descriptor, diffId, parent }, lease, signal);
    return { ...finding, outcome: "repaired" };
  } catch (error) {
    if (catalog.layer(chainId) === undefined) catalog.addLayer(layer);
    return { ...finding, outcome: "left", remedy: `It could not be unpacked again: ${asFault(error).message}` };
  }
}

function blobOf({ content, records }: LayerParts, { diffId }: LayerRecord) {
  return [diffId, ...records.blobsOfDiff(diffId)].find((digest) => content.has(digest));
}

function textOf({ snapshots }: LayerParts, { chainId, folder }: LayerRecord): string {
  return `layer ${chainId} is lost: ${snapshots.pathOf(folder)} is not there`;
}

function baseFirst(layers: readonly LayerRecord[]): LayerRecord[] {
  const left = new Map(layers.map((layer) => [layer.chainId, layer] as const));
  const sorted: LayerRecord[] = [];
  const visit = (layer: LayerRecord): void => {
    left.delete(layer.chainId);
    const below = layer.parent === undefined ? undefined : left.get(layer.parent);
    if (below !== undefined) visit(below);
    sorted.push(layer);
  };
  for (const layer of layers) if (left.has(layer.chainId)) visit(layer);
  return sorted;
}
