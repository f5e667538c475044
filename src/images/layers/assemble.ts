import type { Digest } from "#core/digest";
import { type Descriptor, type ImageConfig, type Manifest, mediaType } from "#core/oci";
import { familiar } from "#core/reference";
import { imageEvent } from "../image-event.ts";
import type { Layers } from "../layers.ts";
import type { Lease } from "../leases.ts";
import { putDocument } from "../put-document.ts";
import type { LayerParts } from "./parts.ts";

/** Records an image of layers that are here. The same layers and configuration are the same image. */
export async function assemble(
  { adopt, catalog, content, events }: LayerParts,
  { config, layers, annotations, tags }: Parameters<Layers["assemble"]>[0],
  lease: Lease,
): Promise<{ readonly id: Digest; readonly manifest: Descriptor }> {
  const whole: ImageConfig = { ...config, rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) } };
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: await putDocument(content, whole, mediaType.ociConfig, lease),
    layers: layers.map(({ blob }) => blob),
    ...(annotations !== undefined && { annotations }),
  };
  const stored = await putDocument(content, manifest, mediaType.ociManifest, lease);
  const id = await adopt({ manifest: stored.digest, tags }, lease);
  const image = catalog.image(id);
  events.emit(imageEvent(image, id, id, "create"));
  for (const tag of tags) events.emit(imageEvent(image, id, familiar(tag), "tag"));
  return { id, manifest: stored };
}
