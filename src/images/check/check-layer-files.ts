import { existsSync } from "node:fs";
import { batch } from "#core/batch";
import type { Digest } from "#core/digest";
import { readTar } from "#core/tar-read";
import type { LayerRecord } from "../catalog.ts";
import { decompress } from "../decompress.ts";
import { folderSizes } from "../folder-sizes.ts";
import type { Finding } from "../images.ts";
import { LayerTranslation } from "../layer-translation.ts";
import { listTree } from "../list-tree.ts";
import type { CheckParts } from "./check.ts";

type FileParts = Pick<CheckParts, "content" | "shim" | "snapshots">;

/**
 * Compares the files of unpacked layers with their blobs, by name and size. All folders are measured first; only those whose
 * bytes are not what was unpacked are compared one by one (an archive may name a file twice: then they differ and are sound).
 */
export async function* checkLayerFiles(
  parts: FileParts,
  layers: readonly { readonly layer: LayerRecord; readonly blob: Digest }[],
  signal: AbortSignal,
): AsyncGenerator<Finding, void, void> {
  const sizes = await folderSizes(
    parts.shim,
    { tree: parts.snapshots.pathOf("") },
    layers.map(({ layer }) => layer.folder),
  );
  for (const { layer, blob } of layers) {
    if (sizes.get(layer.folder) === layer.sizeBytes) continue;
    const path = await differingFile(parts, layer, blob, signal).catch((error: unknown) => {
      if (existsSync(parts.snapshots.pathOf(layer.folder)) && parts.content.has(blob)) throw error;
      return undefined; // collected meanwhile
    });
    if (path === undefined) continue;
    const text = `layer ${layer.chainId} has changed on the disk: ${parts.snapshots.pathOf(layer.folder)}/${path} is not as it was unpacked`;
    const remedy = "Remove the containers and images that have it, and pull or load them again.";
    yield { kind: "changed layer", subject: layer.chainId, text, outcome: "left", remedy };
  }
}

/** The first file of the blob that is not in the folder, or has another size there. */
async function differingFile(
  { content, shim, snapshots }: FileParts,
  { folder }: LayerRecord,
  blob: Digest,
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = new Map<string, string>();
  const look = { tests: ["-type", "f"], format: String.raw`%p\0%s\0` };
  for await (const [path = "", size = ""] of listTree(shim, { tree: snapshots.pathOf(folder) }, look))
    found.set(path, size);
  const expected = new Map<string, number>();
  const plain = decompress(content.stream(blob), shim, signal);
  for await (const { header } of readTar(batch(new LayerTranslation().translate(plain)))) {
    if (header.type === "file") expected.set(header.path, header.sizeBytes);
    else if (header.type !== "hardlink") expected.delete(header.path);
  }
  for (const [path, sizeBytes] of expected) if (found.get(path) !== String(sizeBytes)) return path.slice("./".length);
  return undefined;
}
