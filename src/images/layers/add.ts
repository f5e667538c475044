import type { Digest } from "#core/digest";
import { asFault } from "#core/fault";
import { mediaType } from "#core/oci";
import { guardSpace } from "#host";
import { chainIdOf } from "../chain-id.ts";
import type { ContentDraft } from "../content.ts";
import type { StackLayer } from "../layers.ts";
import type { Lease } from "../leases.ts";
import { recordLayer } from "../record-layer.ts";
import type { PlainTar } from "../snapshots.ts";
import type { LayerParts } from "./parts.ts";

/** Reads a layer's tar once, into its blob and into its folder. Of a failure nothing stays. */
export async function addLayer(
  parts: LayerParts,
  below: Digest | undefined,
  tar: AsyncIterable<Uint8Array>,
  lease: Lease,
  signal: AbortSignal,
  plain?: PlainTar,
): Promise<{ readonly layer: StackLayer; readonly stack: Digest }> {
  const { catalog, content, snapshots, folder } = parts;
  if (below !== undefined) lease.protectLayer(below);
  const foldersBelow = async (): Promise<string[]> => catalog.stack(below).map((layer) => layer.folder);
  try {
    await using blob = await content.draft();
    await using draft = await snapshots.unpack(
      copied(guardSpace(tar, folder), blob, signal),
      foldersBelow,
      signal,
      plain,
    );
    const { digest, sizeBytes } = await blob.keep((digest) => lease.protect(digest));
    const stack = chainIdOf(below, digest);
    lease.protectLayer(stack);
    await recordLayer(parts, draft, { chainId: stack, parent: below, diffId: digest }, "unsynced");
    return { layer: { diffId: digest, blob: { mediaType: mediaType.ociLayer, digest, size: sizeBytes } }, stack };
  } catch (error) {
    throw asFault(error);
  }
}

async function* copied(
  source: AsyncIterable<Uint8Array>,
  blob: ContentDraft,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of source) {
    signal.throwIfAborted();
    const written = blob.write(piece);
    written.catch(() => undefined); // heard of below
    yield piece;
    await written;
  }
}
