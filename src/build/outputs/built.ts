import type { Digest } from "#core/digest";
import type { Descriptor, Platform } from "#core/oci";

/** A finished image of one platform; its documents and layers are in the store. */
export interface BuiltImage {
  readonly platform: Platform;
  /** The digest of its config. */
  readonly id: Digest;
  readonly manifest: Descriptor;
  /** Its layers unpacked; undefined: it has none. */
  readonly stack: Digest | undefined;
}
