import type { Container } from "#containers";
import type { Image, Images } from "#images";
import type { ImageCounts } from "./answers/image-answer.ts";

/** Counts each image's containers and shared bytes, once for all. */
export function imageCounts(
  containers: readonly Container[],
  room: Pick<Images, "layerUse">,
): (image: Image) => ImageCounts {
  const { sharedBytes } = room.layerUse();
  const users = new Map<string, number>();
  for (const { imageId } of containers) users.set(imageId, (users.get(imageId) ?? 0) + 1);
  return ({ id }) => ({ containers: users.get(id) ?? 0, sharedBytes: sharedBytes.get(id) ?? 0 });
}
