import type { Descriptor, Platform } from "#core/oci";
import type { Digest } from "#core/digest";
import { canonical, type Reference } from "#core/reference";
import { platformName } from "#core/platform";

/** What `--metadata-file` is made of. */
export interface MetadataSource {
  readonly buildId: string;
  readonly tags: readonly Reference[];
  /** What was exported: an image's manifest, or the index; absent: files only. */
  readonly exported?: Descriptor;
  /** Of the config, when it is one image. */
  readonly configDigest?: Digest;
  /** By platform; one without a name when there is one platform. */
  readonly provenance: readonly { readonly platform: Platform; readonly predicate: unknown }[];
}

/** The contents of `--metadata-file`, in buildx's keys. */
export function buildMetadata(source: MetadataSource): Readonly<Record<string, unknown>> {
  const { buildId, tags, exported, configDigest, provenance } = source;
  const several = provenance.length > 1;
  const described = provenance.map(({ platform, predicate }): [string, unknown] => [
    several ? `buildx.build.provenance/${platformName(platform)}` : "buildx.build.provenance",
    predicate,
  ]);
  const descriptor =
    exported === undefined || configDigest === undefined
      ? exported
      : { ...exported, annotations: { "config.digest": configDigest, ...exported.annotations } };
  return {
    ...Object.fromEntries<unknown>(described),
    "buildx.build.ref": `slipway/slipway/${buildId}`,
    ...(configDigest !== undefined && { "containerimage.config.digest": configDigest }),
    ...(descriptor !== undefined && {
      "containerimage.descriptor": descriptor,
      "containerimage.digest": descriptor.digest,
    }),
    ...(tags.length > 0 && { "image.name": tags.map((tag) => canonical(tag)).join(",") }),
  };
}
