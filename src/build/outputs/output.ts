import type { Reference } from "#core/reference";
import type { Layers } from "#images";
import type { Output } from "../build.ts";
import { imageArchive } from "./image-archive.ts";
import { imageIndex, type IndexedImage } from "./image-index.ts";
import { type RootParts, rootTar } from "./root-tar.ts";

/** All that a build made, by platform, in the order that they were asked for. */
export interface FinishedBuild {
  readonly images: readonly IndexedImage[];
  readonly tags: readonly Reference[];
  /** Of the index, where there is one. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created?: string;
  /** Times of files after this become this. */
  readonly latestNs?: bigint;
}

/** The bytes of an output. A docker-archive knows no attestations and holds one platform: Fault `invalid` for several. */
export function outputBytes(
  parts: RootParts & { readonly layers: Pick<Layers, "shownAt" | "readBlob"> },
  type: Exclude<Output["type"], "image">,
  build: FinishedBuild,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { images, tags, annotations, created, latestNs } = build;
  if (type === "tar" || type === "local") return rootTar(parts, images, latestNs, signal);
  const several = images.length > 1 || (type === "oci" && images.some(({ attestations }) => attestations.length > 0));
  const options = { tags, ...(annotations !== undefined && { annotations }) };
  const order = {
    form: type,
    images: images.map(({ image }) => image),
    tags,
    ...(several && { index: imageIndex(images, options) }),
    ...(created !== undefined && { created }),
  };
  return imageArchive(parts.layers, order, signal);
}
