import type { Digest } from "#core/digest";
import { Fault, isFault } from "#core/fault";
import type { Platform } from "#core/oci";
import { canonical, familiar, parseReference, type Reference, withDefaultTag } from "#core/reference";
import { type Catalog, idPrefixOf, type ImageRecord } from "./catalog.ts";
import { platformText, rankOf, runnableOn } from "./registry/platform.ts";

/** How an image was named. */
export interface Found {
  readonly image: ImageRecord;
  /** The reference that led to it; undefined when it was named by id. */
  readonly reference: Reference | undefined;
}

/** Finds an image as Docker does: a full id, else a reference, else a unique prefix of an id. Faults: `notFound`, `conflict` for an ambiguous prefix. */
export function findImage(catalog: Catalog, nameOrId: string): Found {
  const prefix = idPrefixOf(nameOrId);
  const isWhole = prefix?.length === "sha256:".length + 64;
  if (prefix !== undefined && isWhole) {
    const image = catalog.image(prefix as Digest);
    if (image !== undefined) return { image, reference: undefined };
    throw noSuchImage(nameOrId);
  }
  const reference = referenceIn(nameOrId);
  const named = reference === undefined ? undefined : catalog.resolve(reference);
  const image = named === undefined ? undefined : catalog.image(named);
  if (image !== undefined) return { image, reference };
  if (prefix !== undefined) {
    const [first, second] = catalog.imagesWithPrefix(prefix);
    if (first !== undefined && second !== undefined) {
      throw new Fault("conflict", `multiple images found with provided prefix: ${nameOrId}`, {
        remedy: "Give more digits of the id.",
      });
    }
    const byPrefix = first === undefined ? undefined : catalog.image(first);
    if (byPrefix !== undefined && !isHidden(catalog, byPrefix)) return { image: byPrefix, reference: undefined };
  }
  throw noSuchImage(reference === undefined ? nameOrId : familiar(reference));
}

/** Fault `notFound` unless the image runs on the platform. */
export function checkPlatform({ image, reference }: Found, platform: Platform | undefined, asked: string): void {
  if (platform === undefined || rankOf(image.config, runnableOn(platform)) !== undefined) return;
  const name = reference === undefined ? asked : canonical(reference);
  throw new Fault(
    "notFound",
    `image with reference ${name} was found but does not provide the specified platform (${platformText(platform)})`,
    { remedy: `It is made for ${platformText(image.config)}.` },
  );
}

/** Whether the image is built in and nobody has asked for it. */
export function isHidden(catalog: Catalog, image: ImageRecord): boolean {
  return image.embedded && catalog.namesOf(image.id).length === 0;
}

function referenceIn(text: string): Reference | undefined {
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    if (text.startsWith("sha256:")) return undefined;
    throw error;
  }
}

function noSuchImage(name: string): Fault {
  return new Fault("notFound", `No such image: ${name}`);
}
