import { Fault, isFault } from "#core/fault";
import type { Descriptor } from "#core/oci";
import type { ContentStore, Ingest } from "../content.ts";
import { isTransient, RegistryFault } from "./failure.ts";
import type { Repository } from "./repository.ts";
import { backOff, type TransferTools } from "./transfer.ts";

/** What a download is done with. */
export interface DownloadTools extends TransferTools {
  readonly repository: Pick<Repository, "blob">;
  readonly content: Pick<ContentStore, "ingest">;
}

/**
 * Brings a blob into the content store: takes up what an earlier try left, resumes after broken connections for as
 * long as there is progress, never takes a byte more than the descriptor says, and publishes only what has its digest.
 */
export async function download(tools: DownloadTools, descriptor: Descriptor, signal: AbortSignal): Promise<void> {
  for (let round = 1; ; round += 1) {
    await using ingest = await ingestOf(tools.content, descriptor, signal);
    const outcome = await fill(tools, descriptor, ingest, signal);
    tools.report({ status: "Verifying Checksum" });
    try {
      await ingest.commit();
      tools.report({ status: "Download complete" });
      return;
    } catch (error) {
      if (!isFault(error, "internal")) throw error;
      // Wrong bytes. Worth a second round when they came in parts, or when another endpoint is left to ask.
      const mayHelp = outcome.wasPieced || (outcome.reject?.() ?? false);
      if (!mayHelp || round > 2) throw wrongBytes(descriptor, error);
    }
  }
}

/** Failures in a row without progress, and failures in all, after which a download gives up. */
const maxFailures = 5;
const maxFailuresInAll = 100;
/** What counts as progress between two failures. */
const progressBytes = 64 * 1024;

interface Outcome {
  readonly wasPieced: boolean;
  readonly reject: (() => boolean) | undefined;
}

async function fill(
  tools: DownloadTools,
  descriptor: Descriptor,
  ingest: Ingest,
  signal: AbortSignal,
): Promise<Outcome> {
  const transfer: Transfer = { tools, descriptor, ingest, haveBytes: ingest.offsetBytes, reject: undefined };
  let failures = 0;
  for (let inAll = 0; ; inAll += 1) {
    const beforeBytes = transfer.haveBytes;
    try {
      await receive(transfer, signal);
      return { wasPieced: ingest.offsetBytes > 0 || inAll > 0, reject: transfer.reject };
    } catch (error) {
      failures = transfer.haveBytes - beforeBytes >= progressBytes ? 1 : failures + 1;
      if (error instanceof RegistryFault && error.reason === "protocol") await ingest.discard();
      if (!mayResume(error) || failures > maxFailures || inAll >= maxFailuresInAll) throw error;
      if (failures > 1) transfer.reject?.();
      await backOff(tools, error, failures, signal);
    }
  }
}

/** A registry that restarts refuses connections for a while. */
function mayResume(error: unknown): error is RegistryFault {
  return isTransient(error) || (error instanceof RegistryFault && error.reason === "connect");
}

interface Transfer {
  readonly tools: DownloadTools;
  readonly descriptor: Descriptor;
  readonly ingest: Ingest;
  haveBytes: number;
  reject: (() => boolean) | undefined;
}

/** One connection's worth of the blob. */
async function receive(transfer: Transfer, signal: AbortSignal): Promise<void> {
  const { tools, descriptor, ingest } = transfer;
  const total = descriptor.size;
  if (transfer.haveBytes >= total) return;
  const blob = await tools.repository.blob(descriptor.digest, transfer.haveBytes, signal);
  transfer.reject = blob.reject;
  let skipBytes = transfer.haveBytes - blob.fromByte;
  for await (const piece of blob.body) {
    const bytes = piece.subarray(Math.min(skipBytes, piece.length));
    skipBytes -= piece.length - bytes.length;
    if (transfer.haveBytes + bytes.length > total) throw tooLong(descriptor);
    if (bytes.length === 0) continue;
    await ingest.write(bytes);
    transfer.haveBytes += bytes.length;
    tools.report({ status: "Downloading", current: transfer.haveBytes, total });
  }
  if (transfer.haveBytes < total) {
    throw new RegistryFault(
      "broken",
      `unexpected EOF: ${transfer.haveBytes} of ${total} bytes of ${descriptor.digest} came`,
    );
  }
}

/** Opens the ingest; when the caller gives up while another writer has it, it is closed as soon as it opens. */
async function ingestOf(
  content: Pick<ContentStore, "ingest">,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<Ingest> {
  const opening = content.ingest(descriptor.digest, descriptor.size);
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(new Fault("cancelled", "context canceled", { cause: signal.reason }));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([opening, promise]);
  } catch (error) {
    opening.then((ingest) => ingest[Symbol.asyncDispose]()).catch(ignore);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function ignore(): void {}

function tooLong(descriptor: Descriptor): RegistryFault {
  return new RegistryFault(
    "protocol",
    `the registry sends more than the ${descriptor.size} bytes of ${descriptor.digest}`,
  );
}

function wrongBytes(descriptor: Descriptor, cause: unknown): RegistryFault {
  return new RegistryFault("protocol", `filesystem layer verification failed for digest ${descriptor.digest}`, {
    cause,
    remedy: "The bytes that came are not the ones that the image names; a cache or proxy on the way may be broken.",
  });
}
