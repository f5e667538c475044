import { Fault, isFault } from "#core/fault";
import type { Digest } from "#core/digest";
import { type ImageConfig, nativePlatform, type Platform } from "#core/oci";
import { platformName } from "#core/platform";
import { canonical, parseReference, type Reference, withDefaultTag } from "#core/reference";
import type { Image, Images, RegistryAuth } from "#images";
import { imageStepId, type KnownImages, type WantedImage } from "./graph/plan.ts";
import type { InternalSteps } from "./internal-steps.ts";

/** What images are found with. */
export interface ResolveParts {
  readonly images: Images;
  readonly credentials: (registry: string) => RegistryAuth | undefined;
  /** Ask the registry also for what is here. */
  readonly pull: boolean;
  readonly internal: InternalSteps;
}

/** The images of one build: each is found once, so that all its steps see the same one. */
export class ResolvedImages {
  readonly #parts: ResolveParts;
  readonly #found = new Map<string, { readonly wanted: WantedImage; readonly image: Image }>();

  constructor(parts: ResolveParts) {
    this.#parts = parts;
  }

  readonly known: KnownImages = (wanted) => this.#found.get(keyOf(wanted))?.image;

  /** Finds images, pulling those that are not here. Faults: the pull's own. */
  async resolve(wanted: readonly WantedImage[], signal: AbortSignal): Promise<void> {
    const each = new Map(wanted.map((image) => [keyOf(image), image]));
    await Promise.all(
      [...each].map(async ([key, image]) => {
        const name = `[internal] load metadata for ${shownName(image.reference)}`;
        const found = await this.#parts.internal.run(
          imageStepId(image),
          name,
          async (progress) => await this.#find(image, progress, signal),
        );
        this.#found.set(key, { wanted: image, image: found });
      }),
    );
  }

  /** What was found, by name; the digest is the manifest's where one is known. */
  used(): { readonly reference: Reference; readonly platform: Platform; readonly digest: Digest }[] {
    return [...this.#found.values()].map(({ wanted, image }) => ({
      reference: withDefaultTag(parseReference(wanted.reference)),
      platform: wanted.platform,
      digest: image.manifest ?? image.id,
    }));
  }

  /** The config of an image that was found. */
  configOf(id: Digest): ImageConfig | undefined {
    return [...this.#found.values()].find(({ image }) => image.id === id)?.image.config;
  }

  async #find(
    wanted: WantedImage,
    progress: (id: string, currentBytes: number, totalBytes?: number) => void,
    signal: AbortSignal,
  ): Promise<Image> {
    const here = this.#parts.pull ? undefined : this.#here(wanted);
    if (here !== undefined) return here;
    const reference = withDefaultTag(parseReference(wanted.reference));
    const auth = this.#parts.credentials(reference.domain);
    const pull = { reference, platform: wanted.platform, ...(auth !== undefined && { auth }) };
    try {
      for await (const { status, id, current, total } of this.#parts.images.pull(pull, signal)) {
        if (current !== undefined)
          progress([status, id].filter((word) => word !== undefined).join(" "), current, total);
      }
    } catch (error) {
      // An image that only this machine has cannot be newer elsewhere.
      const own =
        this.#parts.pull && error instanceof Fault && error.kind !== "cancelled" ? this.#here(wanted) : undefined;
      if (own !== undefined) return own;
      throw error;
    }
    const pulled = this.#here(wanted);
    if (pulled !== undefined) return pulled;
    throw new Fault("notFound", `No such image: ${wanted.reference} for ${platformName(wanted.platform)}`);
  }

  #here({ reference, platform }: WantedImage): Image | undefined {
    try {
      return this.#parts.images.find(reference, isNative(platform) ? undefined : platform);
    } catch (error) {
      if (isFault(error, "notFound")) return undefined;
      throw error;
    }
  }
}

function isNative(platform: Platform): boolean {
  return platformName(platform) === platformName(nativePlatform());
}

function keyOf({ reference, platform }: WantedImage): string {
  return `${platformName(platform)} ${reference}`;
}

function shownName(reference: string): string {
  return canonical(withDefaultTag(parseReference(reference)));
}
