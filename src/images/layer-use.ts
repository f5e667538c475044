import type { Digest } from "#core/digest";
import type { Catalog } from "./catalog.ts";

/** How the unpacked layers are shared. */
export interface LayerUse {
  /** Bytes of each image's layers that another image has too. */
  readonly sharedBytes: ReadonlyMap<Digest, number>;
  /** All layers that an image or a container's root has, each counted once; those of the built-in image only while it shows. */
  readonly layersBytes: number;
}

/** Counts the images of each layer, from the records alone: a walk over some thousand rows. */
export function layerUse(catalog: Catalog): LayerUse {
  const layers = new Map(catalog.layers().map((layer) => [layer.chainId, layer] as const));
  const users = new Map<Digest, number>();
  const stackOf = function* (top: Digest | undefined) {
    for (let at = top; at !== undefined;) {
      const layer = layers.get(at);
      if (layer === undefined) return;
      yield layer;
      at = layer.parent;
    }
  };
  const images = catalog.tops();
  for (const { topChain } of images)
    for (const { chainId } of stackOf(topChain)) users.set(chainId, (users.get(chainId) ?? 0) + 1);
  const sharedBytes = new Map(
    images.map(({ image, topChain }) => {
      let shared = 0;
      for (const { chainId, sizeBytes } of stackOf(topChain)) if ((users.get(chainId) ?? 0) > 1) shared += sizeBytes;
      return [image, shared] as const;
    }),
  );
  const counted = new Set(users.keys());
  for (const top of catalog.rootTops()) for (const { chainId } of stackOf(top)) counted.add(chainId);
  const layersBytes = [...counted].reduce((sum, chainId) => sum + (layers.get(chainId)?.sizeBytes ?? 0), 0);
  return { sharedBytes, layersBytes };
}
