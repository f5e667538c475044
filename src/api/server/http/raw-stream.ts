import type { Socket } from "node:net";
import { Fault } from "#core/fault";

/** A connection after its hijack: bytes both ways. */
export interface RawStream {
  /** What the client sends; ends with its half-close. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Resolves when the kernel took enough to go on. Fault `cancelled` when the client is gone. */
  write(bytes: Uint8Array): Promise<void>;
  /** Aborted when the connection is gone or the server closes (not by a half-close). */
  readonly signal: AbortSignal;
}

/** Writes with back-pressure. Fault `cancelled` when the peer is gone. */
export async function writeToSocket(socket: Socket, bytes: Uint8Array | string): Promise<void> {
  if (socket.destroyed || !socket.writable) throw peerGone();
  if (socket.write(bytes)) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onClose = (): void => reject(peerGone());
  socket.once("drain", resolve).once("close", onClose);
  try {
    await promise;
  } finally {
    socket.off("drain", resolve).off("close", onClose);
  }
}

function peerGone(): Fault {
  return new Fault("cancelled", "the client closed the connection");
}
