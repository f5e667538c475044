import { Fault } from "#core/fault";
import type { OutputChunk } from "#host";

/** What the probe runner tells (shim/probes.h). It is inside the container, so nothing of it is trusted. */
export type ProbeFrame =
  | { readonly kind: "ready" }
  | { readonly kind: "ended"; readonly exitCode: number; readonly output: Uint8Array; readonly hasMore: boolean }
  | { readonly kind: "refused"; readonly errno: number };

/** Most bytes of output that are kept of a probe. */
export const mostOutputBytes = 4096;

/** The runner's words; its standard error is no concern of ours. Fault `internal` at the first that is none. */
export async function* probeFrames(output: AsyncIterable<OutputChunk>): AsyncGenerator<ProbeFrame, void, undefined> {
  let pending = Buffer.alloc(0);
  for await (const { stream, bytes } of output) {
    if (stream !== "stdout") continue;
    pending = Buffer.concat([pending, bytes]);
    for (let length = frameLength(pending); pending.length >= length; length = frameLength(pending)) {
      yield frameOf(pending.subarray(0, length));
      pending = pending.subarray(length);
    }
  }
}

/** That of the whole frame; of its head as long as that is not there. */
function frameLength(bytes: Buffer): number {
  if (bytes.length < headBytes) return headBytes;
  const length = bytes.readUInt16BE(2);
  if (length > mostOutputBytes) throw new Fault("internal", "the probe runner's answer is too long");
  return headBytes + length;
}

function frameOf(bytes: Buffer): ProbeFrame {
  const [kind, more] = [String.fromCharCode(bytes.readUInt8(0)), bytes.readUInt8(1)];
  const number = bytes.readUInt32BE(4);
  const output = bytes.subarray(headBytes);
  if (kind === "E" && more <= 1 && number <= 255) {
    return { kind: "ended", exitCode: number, output: Buffer.from(output), hasMore: more === 1 };
  }
  if (kind === "R" && more === 0 && number === 0 && output.length === 0) return { kind: "ready" };
  if (kind === "F" && more === 0 && number > 0 && number < 4096 && output.length === 0) {
    return { kind: "refused", errno: number };
  }
  throw new Fault("internal", "the probe runner's answer is not well formed");
}

const headBytes = 8;
