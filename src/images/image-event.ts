import type { Event } from "#core/event";
import type { ImageRecord } from "./catalog.ts";

/** An event of an image as Docker tells it: the image's labels, and `name`. */
export function imageEvent(
  image: Pick<ImageRecord, "config"> | undefined,
  actorId: string,
  name: string,
  action: "create" | "load" | "import" | "tag" | "untag" | "delete" | "save" | "prune",
): Omit<Event, "timeNs"> {
  return { type: "image", action, actorId, attributes: { ...image?.config.config?.Labels, name } };
}
