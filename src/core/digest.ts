import { createHash, type Hash } from "node:crypto";

/** A content digest, `sha256:` and 64 lower-case hex digits (OCI image-spec, descriptor.md#digests). */
export type Digest = string & { readonly __digest: unique symbol };

const form = /^sha256:[0-9a-f]{64}$/;

/** Whether the text is a well-formed digest. */
export function isDigest(text: string): text is Digest {
  return form.test(text);
}

/** The digest of bytes that are all here. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}

/** The 64 hex digits of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** Digests bytes that come in pieces. */
export class Digester {
  readonly #hash: Hash = createHash("sha256");
  sizeBytes = 0;

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    this.sizeBytes += bytes.length;
    return this;
  }

  /** Ends the digest; call once. */
  digest(): Digest {
    return `sha256:${this.#hash.digest("hex")}` as Digest;
  }
}
