import type { Digest } from "#core/digest";
import { tarOf, unpackInto } from "../cache/folder-tar.ts";
import type { StepParts } from "./parts.ts";

/** Gives a new cache mount what it begins with: a folder of a stack (`from`, `source`). */
export async function fillCacheMount(
  { host, images, mountPoint }: StepParts,
  folder: string,
  { stack, subpath }: { readonly stack: Digest | undefined; readonly subpath: string },
  signal: AbortSignal,
): Promise<void> {
  if (stack === undefined) return;
  const files = tarOf(
    host.shim,
    { tree: mountPoint, mounts: images.layers.shownAt(stack, mountPoint), start: subpath },
    signal,
  );
  await unpackInto(host.shim, { tree: folder }, files, signal);
}
