import type { ImageConfig } from "#core/oci";
import type { StackLayer } from "#images";
import { parseCacheSteps } from "./cache-steps.ts";
import type { CacheContents } from "./cache-document.ts";

/** Where an image's config tells which steps made its layers (`--cache-to type=inline`). */
export const inlineCacheField = "io.slipway.cache.v1";

/** What an image says of its steps; nothing where it says nothing, or nonsense. */
export function readInlineCache(config: ImageConfig, layers: readonly StackLayer[]): CacheContents {
  return { layers, steps: parseCacheSteps(config[inlineCacheField], layers.length, mostSteps) };
}

const mostSteps = 2000;
