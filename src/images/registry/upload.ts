import type { Digest } from "#core/digest";
import { isTransient, RegistryFault } from "./failure.ts";
import type { Target, Upload } from "./target.ts";
import { backOff, type TransferTools } from "./transfer.ts";

/** What an upload is done with. */
export interface UploadTools extends TransferTools {
  readonly target: Target;
}

/** The bytes of a blob. */
export interface BlobSource {
  readonly digest: Digest;
  readonly size: number;
  open(fromByte: number): AsyncIterable<Uint8Array>;
}

/**
 * Puts a blob into a repository that does not have it: mounted from another one, if that works, or sent. Goes on from
 * where the registry says it is after a broken connection, and begins anew where it does not; gives up after five
 * failures without progress. What was begun and is of no use is cancelled.
 */
export async function upload(
  tools: UploadTools,
  blob: BlobSource,
  from: string | undefined,
  signal: AbortSignal,
): Promise<"mounted" | "pushed"> {
  const state: State = { wasBegun: false, upload: undefined, sentBytes: 0, furthestBytes: 0 };
  let [failures, misfits] = [0, 0];
  try {
    for (;;) {
      const beforeBytes = state.furthestBytes;
      try {
        return await round(tools, blob, failures + misfits === 0 ? from : undefined, state, signal);
      } catch (error) {
        if (!(error instanceof RegistryFault)) throw error;
        const isMisfit = misfit.has(error.reason);
        failures = state.furthestBytes - beforeBytes >= progressBytes ? 1 : failures + 1;
        if (isMisfit) misfits += 1;
        if (!isMisfit && error.reason !== "connect" && !isTransient(error)) throw error;
        if (failures > maxFailures || misfits > maxMisfits) throw error;
        if (isMisfit) await abandon(state);
        await backOff(tools, error, failures, signal);
      }
    }
  } finally {
    await abandon(state);
  }
}

/** Failures in a row without progress after which an upload gives up. */
const maxFailures = 5;
/** How often bytes may turn out to be other ones, or an upload to be unknown. */
const maxMisfits = 2;
/** What counts as progress between two failures. */
const progressBytes = 64 * 1024;
/** A blob that goes with the request that ends its upload. */
const smallBytes = 1024 * 1024;
/** How long a registry may take to hear that an upload is given up. */
const cancelMs = 5000;

const misfit: ReadonlySet<RegistryFault["reason"]> = new Set(["missing", "protocol"]);

interface State {
  wasBegun: boolean;
  upload: Upload | undefined;
  /** What the registry has of it. */
  sentBytes: number;
  /** The most that it ever had. */
  furthestBytes: number;
}

/** One connection's worth of it. */
async function round(
  tools: UploadTools,
  blob: BlobSource,
  from: string | undefined,
  state: State,
  signal: AbortSignal,
): Promise<"mounted" | "pushed"> {
  await takeUp(state, signal);
  if (state.upload === undefined) {
    // It may have come whole, and the word of it have been lost.
    if (state.wasBegun && (await tools.target.has(blob.digest, signal))) return "pushed";
    state.wasBegun = true;
    const begun = await tools.target.begin(blob.digest, from, signal);
    if (begun === "mounted") return "mounted";
    state.upload = begun;
    state.sentBytes = 0;
  }
  const { upload } = state;
  const isSmall = blob.size <= smallBytes && state.sentBytes === 0;
  if (!isSmall) await sendRest(tools, blob, state, upload, signal);
  await upload.finish(blob.digest, isSmall ? bodyFrom(tools, blob, 0) : undefined, signal);
  state.upload = undefined;
  return "pushed";
}

/** After a failure: where the registry is, if it still knows. */
async function takeUp(state: State, signal: AbortSignal): Promise<void> {
  if (state.upload === undefined) return;
  const haveBytes = await state.upload.offset(signal);
  if (haveBytes === undefined) state.upload = undefined;
  else noteSent(state, haveBytes);
}

async function sendRest(
  tools: UploadTools,
  blob: BlobSource,
  state: State,
  upload: Upload,
  signal: AbortSignal,
): Promise<void> {
  while (state.sentBytes < blob.size) {
    const fromByte = state.sentBytes;
    const haveBytes = (await upload.send(bodyFrom(tools, blob, fromByte), fromByte, signal)) ?? blob.size;
    if (haveBytes > blob.size || haveBytes <= fromByte) {
      throw new RegistryFault("protocol", `the registry has ${haveBytes} of the ${blob.size} bytes of ${blob.digest}`);
    }
    noteSent(state, haveBytes);
  }
  if (state.sentBytes > blob.size) throw new RegistryFault("protocol", `the registry has more than ${blob.digest}`);
}

function noteSent(state: State, haveBytes: number): void {
  state.sentBytes = haveBytes;
  state.furthestBytes = Math.max(state.furthestBytes, haveBytes);
}

function bodyFrom({ report }: UploadTools, blob: BlobSource, fromByte: number) {
  return {
    sizeBytes: blob.size - fromByte,
    async *open(): AsyncGenerator<Uint8Array, void, void> {
      let current = fromByte;
      for await (const piece of blob.open(fromByte)) {
        yield piece;
        current += piece.length;
        report({ status: "Pushing", current, total: blob.size });
      }
    },
  };
}

async function abandon(state: State): Promise<void> {
  const { upload } = state;
  state.upload = undefined;
  state.sentBytes = 0;
  await upload?.cancel(AbortSignal.timeout(cancelMs));
}
