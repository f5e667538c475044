import type { Container } from "#containers";
import type { HistoryStep, Image, Images } from "#images";
import type { ImageCounts } from "./answers/image-answer.ts";

/** Counts each image's containers and shared bytes, once for all. */
export function imageCounts(
  images: readonly Image[],
  containers: readonly Container[],
  room: Pick<Images, "history">,
): (image: Image) => ImageCounts {
  const shared = sharedSizes(images, (id) => room.history(id));
  const users = new Map<string, number>();
  for (const { imageId } of containers) users.set(imageId, (users.get(imageId) ?? 0) + 1);
  return ({ id }) => ({ containers: users.get(id) ?? 0, sharedBytes: shared.get(id) ?? 0 });
}

/** Bytes of each image's layers that another image has too, by image id (`SharedSize` of `/system/df`). */
export function sharedSizes(
  images: readonly Image[],
  historyOf: (id: string) => readonly HistoryStep[],
): ReadonlyMap<string, number> {
  const layers = new Map(images.map((image) => [image.id, layersOf(image, historyOf(image.id))] as const));
  const users = new Map<string, number>();
  for (const own of layers.values()) for (const { key } of own) users.set(key, (users.get(key) ?? 0) + 1);
  return new Map(
    [...layers].map(([id, own]) => {
      const shared = own.filter(({ key }) => (users.get(key) ?? 0) > 1);
      return [id, shared.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)] as const;
    }),
  );
}

/** A layer is the same where everything below it is the same too. */
function layersOf({ config }: Image, history: readonly HistoryStep[]): { key: string; sizeBytes: number }[] {
  const steps = config.history ?? [];
  const oldestFirst = history.toReversed();
  // Images without a history have one step for each layer.
  const filled = oldestFirst.filter((_step, index) => steps[index]?.empty_layer !== true);
  return config.rootfs.diff_ids.map((_diffId, index) => ({
    key: config.rootfs.diff_ids.slice(0, index + 1).join(" "),
    sizeBytes: filled[index]?.sizeBytes ?? 0,
  }));
}
