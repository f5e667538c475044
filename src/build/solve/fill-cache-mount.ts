import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "#core/digest";
import { tarOf, unpackInto } from "../cache/folder-tar.ts";
import type { StepParts } from "./parts.ts";

/** Gives a new cache mount what it begins with: a folder of a stack (`from`, `source`). */
export async function fillCacheMount(
  { host, images }: StepParts,
  folder: string,
  { stack, subpath }: { readonly stack: Digest | undefined; readonly subpath: string },
  signal: AbortSignal,
): Promise<void> {
  if (stack === undefined) return;
  const target = await mkdtemp(join(host.paths.execRoot, "build-fill-"));
  try {
    const files = tarOf(
      host.shim,
      { tree: target, mounts: images.layers.shownAt(stack, target), start: subpath },
      signal,
    );
    await unpackInto(host.shim, { tree: folder }, files, signal);
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}
