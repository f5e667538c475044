import { asFault, Fault, isFault } from "#core/fault";
import type { Descriptor } from "#core/oci";
import type { ContentStore, Ingest } from "../content.ts";
import type { Lease } from "../leases.ts";

/** Takes in a blob from elsewhere, verified as it streams; what an earlier try left is gone on with. */
export async function takeBlob(
  content: Pick<ContentStore, "has" | "ingest">,
  blob: Descriptor,
  bytes: () => AsyncIterable<Uint8Array>,
  lease: Lease,
  signal: AbortSignal,
): Promise<void> {
  lease.protect(blob.digest);
  if (content.has(blob.digest)) return;
  try {
    await using ingest = await content.ingest(blob.digest, blob.size);
    // Another took it in meanwhile, or all of it is here from a try that was killed.
    if (ingest.offsetBytes < blob.size) await fill(ingest, bytes(), signal);
    await ingest.commit(); // fewer bytes have another digest
  } catch (error) {
    if (isFault(error, "internal")) throw wrong(blob, error);
    throw asFault(error);
  }
}

/** More bytes than there may be are the ingest's own fault. */
async function fill(ingest: Ingest, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  let skipBytes = ingest.offsetBytes;
  for await (const piece of bytes) {
    signal.throwIfAborted();
    const rest = piece.subarray(Math.min(skipBytes, piece.length));
    skipBytes -= piece.length - rest.length;
    try {
      if (rest.length > 0) await ingest.write(rest);
    } catch (error) {
      if (isFault(error, "internal")) await ingest.discard();
      throw error;
    }
  }
}

function wrong({ digest, size }: Descriptor, cause?: unknown): Fault {
  return new Fault("invalid", `these are not the ${size} bytes of ${digest}`, { cause });
}
