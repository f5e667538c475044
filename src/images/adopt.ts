import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import type { Reference } from "#core/reference";
import { type Catalog, type ImageName, nameOf, repositoryOf } from "./catalog.ts";
import { chainIdsOf } from "./chain-id.ts";
import { checkConfigShape } from "./config-shape.ts";
import type { ContentStore } from "./content.ts";
import type { Lease } from "./leases.ts";
import { parseConfig, parseDocument } from "./registry/document.ts";
import type { SnapshotDriver } from "./snapshots.ts";
import type { VerifyLayer } from "./verify-layer.ts";

/** An image whose blobs are all in the content store and whose layers are all unpacked, about to get its record. */
export interface Adoption {
  /** Digest of the image manifest (never of an index); its blob, its config and its layers are in the store. */
  readonly manifest: Digest;
  /** Further blobs to keep with it, such as the index through which it was found. */
  readonly alsoKeep?: readonly Digest[];
  /** Tags to point at it. */
  readonly tags?: readonly Reference[];
  /** What it is known by in a registry: repository (tag ignored) and the digest of the manifest or index there. */
  readonly repoDigests?: readonly { readonly repository: Reference; readonly digest: Digest }[];
  /** Built into the program: hidden until somebody asks for it. */
  readonly embedded?: boolean;
}

/** Records an image, in one transaction, and answers its id once no power cut can take it back. Fault `invalid` when manifest, config and layers do not fit together. */
export type AdoptImage = (adoption: Adoption, lease: Lease) => Promise<Digest>;

/** Makes the function that records images. */
export function imageAdopter(
  catalog: Catalog,
  content: ContentStore,
  snapshots: Pick<SnapshotDriver, "sync">,
  verify: VerifyLayer,
): AdoptImage {
  return async (adoption, lease) => {
    const document = parseDocument(await content.read(adoption.manifest), "");
    if (document.kind !== "manifest") throw new Fault("invalid", `${adoption.manifest} is no image but an index`);
    const { manifest } = document;
    const config = parseConfig(await content.read(manifest.config.digest), manifest);
    checkConfigShape(config);
    const diffIds = config.rootfs.diff_ids;
    const blobs = [
      adoption.manifest,
      manifest.config.digest,
      ...manifest.layers.map((layer) => layer.digest),
      ...(adoption.alsoKeep ?? []),
    ];
    for (const blob of blobs) {
      lease.protect(blob);
      if (!content.has(blob)) throw new Fault("invalid", `the image's blob ${blob} is missing`);
    }
    for (const chainId of chainIdsOf(diffIds)) {
      if (catalog.layer(chainId) === undefined)
        throw new Fault("invalid", `the image's layer ${chainId} is not unpacked`);
    }
    for (const [index, diffId] of diffIds.entries()) {
      const blob = manifest.layers[index]?.digest;
      if (blob !== undefined) await verify(blob, diffId);
    }
    await content.settle(blobs);
    const unsynced = chainIdsOf(diffIds).filter((chainId) => catalog.layer(chainId)?.unsyncedIn !== undefined);
    if (unsynced.length > 0) {
      await snapshots.sync();
      catalog.markSynced(unsynced);
    }
    catalog.record({
      id: manifest.config.digest,
      manifest: adoption.manifest,
      config,
      embedded: adoption.embedded ?? false,
      blobs,
      names: namesOf(adoption),
    });
    await catalog.settled();
    return manifest.config.digest;
  };
}

function namesOf({ tags, repoDigests }: Adoption): ImageName[] {
  const digests = (repoDigests ?? []).map(({ repository, digest }): ImageName => ({
    kind: "digest",
    repository: repositoryOf(repository),
    digest,
  }));
  return [...(tags ?? []).map((tag) => nameOf(tag)), ...digests];
}
