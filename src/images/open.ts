import type { Images, ImagesOptions } from "./images.ts";

/** Opens the room: brings its tables up to date and makes its folders. */
export async function openImages(options: ImagesOptions): Promise<Images> {
  throw new Error(`not written yet: ${options.paths.dataRoot}`);
}
