import type { Container } from "#containers";
import type { Images } from "#images";

/** What `docker ps` shows as the image: the name that was asked for while it still names this image, else the id. Each name is looked up once. */
export function shownImageNames(images: Pick<Images, "find">): (container: Container) => string {
  const ids = new Map<string, string | undefined>();
  const idOf = (name: string): string | undefined => {
    if (!ids.has(name)) ids.set(name, findId(images, name));
    return ids.get(name);
  };
  return ({ spec, imageId }) => (idOf(spec.image) === imageId ? spec.image : imageId);
}

function findId(images: Pick<Images, "find">, name: string): string | undefined {
  try {
    return images.find(name).id;
  } catch {
    return undefined;
  }
}
