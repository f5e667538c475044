import type { Descriptor } from "#core/oci";
import type { ContentStore } from "./content.ts";
import type { Lease } from "./leases.ts";

/** Stores a JSON document under the lease. */
export async function putDocument(
  content: ContentStore,
  document: unknown,
  type: string,
  lease: Lease,
): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(document));
  const { digest, sizeBytes } = await content.put(bytes, (digest) => lease.protect(digest));
  return { mediaType: type, digest, size: sizeBytes };
}
