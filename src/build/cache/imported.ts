import type { Digest } from "#core/digest";
import { Fault, isFault } from "#core/fault";
import type { Descriptor } from "#core/oci";
import type { Layers, Lease } from "#images";
import type { Layered } from "../solve/work.ts";
import type { CacheContents } from "./cache-document.ts";

/** A result of another machine: good for the build that named its cache, and for no other. */
export interface ImportedResult {
  readonly createdNs: bigint;
  /** Brings its layer here and puts it on what the step stands on; undefined: it cannot be had after all. */
  bring(
    below: Digest | undefined,
    lease: Lease,
    signal: AbortSignal,
  ): Promise<{ readonly layered: Layered | undefined } | undefined>;
}

/** Brings a blob into the store, verified. */
export type BringBlob = (blob: Descriptor, lease: Lease, signal: AbortSignal) => Promise<void>;

/**
 * What a cache offers. Its layers come when they are needed; when one does not, or is not what it is said to be, the cache is lost: that is
 * told once, and nothing more is asked of it.
 */
export function offered(
  layers: Pick<Layers, "put">,
  contents: CacheContents,
  bring: BringBlob,
  tellLost: (fault: Fault) => void,
): (readonly [Digest, ImportedResult])[] {
  let isLost = false;
  const lose = (fault: Fault): undefined => {
    if (!isLost) tellLost(fault);
    isLost = true;
  };
  return contents.steps.map(({ key, layer: place, created }): readonly [Digest, ImportedResult] => {
    const layer = place === undefined ? undefined : contents.layers[place];
    const result: ImportedResult = {
      createdNs: BigInt(created),
      async bring(below, lease, signal) {
        if (isLost) return undefined;
        if (layer === undefined) return { layered: undefined };
        try {
          await bring(layer.blob, lease, signal);
          return { layered: { layer, stack: await layers.put(below, layer, lease, signal) } };
        } catch (error) {
          if (signal.aborted || !(error instanceof Fault) || isFault(error, "cancelled")) throw error;
          return lose(error);
        }
      },
    };
    return [key, result];
  });
}
