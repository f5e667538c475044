import type { Digest } from "#core/digest";
import { type Descriptor, mediaType } from "#core/oci";
import type { ContentStore } from "./content.ts";
import { inOciWords } from "./oci-words.ts";
import { parseDocument } from "./registry/document.ts";

/** The layers that a manifest in the store names, base first, in OCI's words. */
export async function layerBlobs(content: Pick<ContentStore, "read">, manifest: Digest): Promise<Descriptor[]> {
  const document = parseDocument(await content.read(manifest), mediaType.ociManifest);
  if (document.kind !== "manifest") throw new Error(`${manifest} is no manifest`);
  return document.manifest.layers.map(inOciWords);
}
