import { type Descriptor, mediaType } from "#core/oci";

const ociTypes: Readonly<Record<string, string>> = {
  [mediaType.dockerConfig]: mediaType.ociConfig,
  [mediaType.dockerLayer]: mediaType.ociLayer,
  [mediaType.dockerLayerGzip]: mediaType.ociLayerGzip,
  "application/vnd.docker.image.rootfs.diff.tar.zstd": mediaType.ociLayerZstd,
};

/** A descriptor as OCI tools know it, whichever of the two it came in; its blob is the same. */
export function inOciWords({ mediaType: type, digest, size }: Descriptor): Descriptor {
  return { mediaType: ociTypes[type] ?? type, digest, size };
}
