import { readdirSync } from "node:fs";
import { batch } from "#core/batch";
import type { Digest } from "#core/digest";
import { asFault, Fault } from "#core/fault";
import { mediaType } from "#core/oci";
import { guardSpace } from "#host";
import { chainIdOf } from "../chain-id.ts";
import { LayerDiff } from "../layer-diff.ts";
import type { Layers, StackLayer } from "../layers.ts";
import type { Lease } from "../leases.ts";
import { recordLayer } from "../record-layer.ts";
import { readFromTar, upperArgs } from "../run-tar.ts";
import { dropLeftovers } from "./leftovers.ts";
import type { LayerParts } from "./parts.ts";

type Sealed = { readonly layer: StackLayer; readonly stack: Digest };

/**
 * Makes a layer of what was written to a root. The writable folder is in the layers' form already: it is read once, for the
 * blob, and becomes the layer's folder by a rename, unless unpacking the blob would make something else of it.
 */
export async function sealRoot(
  parts: LayerParts,
  rootName: string,
  options: Parameters<Layers["seal"]>[1],
  lease: Lease,
  signal: AbortSignal,
): Promise<Sealed | undefined> {
  const root = parts.roots.topOf(rootName);
  if (root === undefined) throw new Fault("notFound", `there is no root ${rootName}`);
  const below = root.topChain;
  if (below !== undefined) lease.protectLayer(below);
  const upper = parts.roots.plainUpperOf(rootName);
  dropLeftovers(upper, options.without);
  if (readdirSync(upper).length === 0) return undefined;
  try {
    const read = await storeDiff(parts, upper, options, lease, signal);
    if (read === undefined) return undefined;
    const { layer, diff } = read;
    const stack = chainIdOf(below, layer.diffId);
    lease.protectLayer(stack);
    if (!diff.isFaithful || !(await takeOver(parts, upper, diff.sizeBytes, { stack, below, layer })))
      await parts.unpacker.unpack({ ...layer, parent: below, lasting: "unsynced" }, lease, signal);
    return { layer, stack };
  } catch (error) {
    throw asFault(error);
  }
}

/** The blob of what is in the folder; undefined when that is nothing. */
async function storeDiff(
  { content, shim, folder }: LayerParts,
  upper: string,
  { epochSeconds }: Pick<Parameters<Layers["seal"]>[1], "epochSeconds">,
  lease: Lease,
  signal: AbortSignal,
): Promise<{ readonly layer: StackLayer; readonly diff: LayerDiff } | undefined> {
  const diff = new LayerDiff(epochSeconds === undefined ? {} : { latestSeconds: epochSeconds });
  // Such as that it leaves out a socket.
  const onWords = (): void => void (diff.isFaithful = false);
  await using blob = await content.draft();
  const tar = readFromTar(shim, { tree: upper, args: upperArgs, onWords }, new Uint8Array(), signal);
  for await (const piece of batch(guardSpace(diff.translate(tar), folder))) await blob.write(piece);
  if (diff.isEmpty) return undefined;
  const { digest, sizeBytes } = await blob.keep((digest) => lease.protect(digest));
  return { layer: { diffId: digest, blob: { mediaType: mediaType.ociLayer, digest, size: sizeBytes } }, diff };
}

/** Whether the folder is the layer's now, or the layer was there already; not when it lies on another file system. */
async function takeOver(
  parts: LayerParts,
  upper: string,
  sizeBytes: number,
  { stack, below, layer }: { readonly stack: Digest; readonly below: Digest | undefined; readonly layer: StackLayer },
): Promise<boolean> {
  await using draft = parts.snapshots.takeOver(upper, sizeBytes);
  try {
    await recordLayer(parts, draft, { chainId: stack, parent: below, diffId: layer.diffId }, "unsynced");
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EXDEV") return false;
    throw error;
  }
}
