import type { Digest } from "#core/digest";
import type { Reference } from "#core/reference";
import type { Lease } from "./leases.ts";

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
}

/** Records an image, in one transaction, and answers its id. Fault `invalid` when manifest, config and layers do not fit together. */
export type AdoptImage = (adoption: Adoption, lease: Lease) => Promise<Digest>;
