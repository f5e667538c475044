import type { Readable } from "node:stream";
import { Fault } from "#core/fault";
import type { Patience } from "./transport.ts";

/** The bytes of a response, with time limits that count only while we wait for the server, not while our disk is busy. */
export async function* guardedBody(
  response: Readable,
  patience: Patience,
  failureOf: (error: unknown) => Fault,
): AsyncGenerator<Uint8Array, void, void> {
  const pieces = response[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let [waitedMs, receivedBytes] = [0, 0];
  try {
    for (;;) {
      const sinceMs = performance.now();
      const timer = setTimeout(() => response.destroy(stalled()), patience.idleMs);
      const piece = await pieces.next().finally(() => clearTimeout(timer));
      if (piece.done === true) return;
      waitedMs += performance.now() - sinceMs;
      receivedBytes += piece.value.length;
      if (waitedMs > patience.windowMs) {
        if (receivedBytes < patience.floorBytes) throw stalled();
        [waitedMs, receivedBytes] = [0, 0];
      }
      yield piece.value;
    }
  } catch (error) {
    throw failureOf(error);
  } finally {
    response.destroy();
  }
}

/** A small body, all of it; Fault `tooLarge` as soon as it passes the limit. */
export async function readBody(body: AsyncIterable<Uint8Array>, limitBytes: number, what: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of body) {
    sizeBytes += piece.length;
    if (sizeBytes > limitBytes) throw new Fault("tooLarge", `${what} is larger than ${limitBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The first bytes of a body, for an error message; never fails. */
export async function readStart(body: AsyncIterable<Uint8Array>, limitBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const piece of body) {
      pieces.push(piece);
      sizeBytes += piece.length;
      if (sizeBytes >= limitBytes) break;
    }
  } catch {
    // What came is what we can show.
  }
  return Buffer.concat(pieces).toString("utf8", 0, limitBytes);
}

function stalled(): Error {
  return Object.assign(new Error("stalled"), { code: "STALLED" });
}
