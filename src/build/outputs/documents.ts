import { type Digest, digestOf } from "#core/digest";
import type { Descriptor } from "#core/oci";

/** A document with its bytes: what a descriptor points to. */
export interface StoredDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** A document as it is stored: without white space, keys in the order that they have. */
export function documentOf(
  value: unknown,
  mediaType: string,
  more: Omit<Partial<Descriptor>, "mediaType" | "digest" | "size"> = {},
): StoredDocument {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest: Digest = digestOf(bytes);
  return { bytes, descriptor: { mediaType, digest, size: bytes.length, ...more } };
}
