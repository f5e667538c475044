import type { Digest } from "#core/digest";
import { shortId } from "#core/ids";
import type { Descriptor } from "#core/oci";
import { chainIdsOf } from "./chain-id.ts";
import type { Lease } from "./leases.ts";
import { linkedAbort } from "#core/linked-abort";
import type { Report } from "./progress-feed.ts";
import type { Unpacker } from "./unpack.ts";

const atOnce = 3;

/** Unpacks all layers of an image whose blobs are here, three at a time; the first failure stops the rest and is thrown once all have stopped. */
export async function unpackStack(
  unpacker: Unpacker,
  image: { readonly layers: readonly Descriptor[]; readonly diffIds: readonly Digest[] },
  lease: Lease,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  using abort = linkedAbort(signal);
  const chain = chainIdsOf(image.diffIds);
  const todo = image.layers.map((blob, index) => ({ blob, index })).reverse();
  const work = async (): Promise<void> => {
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const { blob, index } = next;
      const diffId = image.diffIds[index];
      if (diffId === undefined) throw new Error("more layers than DiffIDs");
      const onProgress = (current: number, total: number): void =>
        report({ status: "Loading layer", id: shortId(diffId), current, total });
      await unpacker.unpack({ blob, diffId, parent: chain[index - 1] }, lease, abort.signal, onProgress);
    }
  };
  const workers = Array.from({ length: atOnce }, async () => {
    try {
      await work();
    } catch (error) {
      abort.abort(error);
      throw error;
    }
  });
  const results = await Promise.allSettled(workers);
  const failure =
    results.find((result) => result.status === "rejected" && result.reason === abort.signal.reason) ??
    results.find((result) => result.status === "rejected");
  signal.throwIfAborted();
  if (failure?.status === "rejected") throw failure.reason;
}
