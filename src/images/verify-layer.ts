import { type Digest, Digester } from "#core/digest";
import { Fault } from "#core/fault";
import type { Shim } from "#host";
import type { Catalog } from "./catalog.ts";
import type { ContentStore } from "./content.ts";
import { decompress } from "./decompress.ts";

/** Makes sure that a layer's blob unpacks to a DiffID; Fault `invalid` when it does not. */
export type VerifyLayer = (blob: Digest, diffId: Digest) => Promise<void>;

/**
 * Makes the check for blobs that were not unpacked because the layer that they are said to be was here already: without
 * it, an image could carry one thing, show another, and pass it on to whoever it is saved or pushed for.
 */
export function layerVerifier(catalog: Catalog, content: ContentStore, shim: Shim): VerifyLayer {
  return async (blob, diffId) => {
    if (catalog.isVerified(blob, diffId)) return;
    const digester = new Digester();
    for await (const piece of decompress(content.stream(blob), shim, new AbortController().signal))
      digester.update(piece);
    const actual = digester.digest();
    if (actual !== diffId)
      throw new Fault("invalid", `invalid diffID for layer: expected "${diffId}", got "${actual}"`);
    catalog.markVerified(blob, diffId);
  };
}
