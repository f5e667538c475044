import type { Socket } from "node:net";
import { FrameDecoder } from "#api/wire";
import { Fault } from "#core/fault";

/** A piece of a container's output. `systemerr` is the engine's own word that something failed. */
export interface OutputPiece {
  readonly stream: "stdout" | "stderr" | "systemerr";
  readonly bytes: Uint8Array;
}

/** A live connection to the streams of a container or an exec. Disposing it detaches. */
export interface Connection extends AsyncDisposable {
  /** Whether the streams come apart; false: a terminal, where all is stdout. */
  readonly isMultiplexed: boolean;
  /** Ends when the process' streams end, or when the engine detached us. To be read once. */
  readonly output: AsyncIterable<OutputPiece>;
  /** Resolves when there is room for more. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** No more input; output goes on. */
  endInput(): void;
  close(): void;
}

/** Speaks the attach protocol on a hijacked socket. `head` is what came right behind the answer. */
export function openConnection(socket: Socket, head: Uint8Array, isMultiplexed: boolean): Connection {
  socket.on("error", () => undefined); // reported by reads and writes
  return {
    isMultiplexed,
    output: isMultiplexed ? splitFrames(bytesOf(socket, head)) : wholeStream(bytesOf(socket, head)),
    write: (bytes) => writeTo(socket, bytes),
    endInput: () => void socket.end(),
    close: () => void socket.destroy(),
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}

/** Takes the frames of a multiplexed stream apart. Fault `internal` when it ends within a frame. */
export async function* splitFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<OutputPiece> {
  const decoder = new FrameDecoder();
  for await (const chunk of source) {
    for (const { stream, bytes } of decoder.push(chunk)) {
      yield { stream: stream === "stdin" ? "stdout" : stream, bytes };
    }
  }
  if (!decoder.isAtBoundary) throw new Fault("unavailable", "the engine's stream ended within a frame");
}

/** A raw stream (a terminal's): all of it is stdout. */
export async function* wholeStream(source: AsyncIterable<Uint8Array>): AsyncGenerator<OutputPiece> {
  for await (const bytes of source) yield { stream: "stdout", bytes };
}

async function* bytesOf(socket: Socket, head: Uint8Array): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
  try {
    // Reading to the end must not close our own direction: input may still flow.
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) yield chunk as Uint8Array;
  } catch (error) {
    // We closed it, or the peer reset it after its last byte: both are an end.
    const { code } = error as { code?: string };
    if (code !== "ECONNRESET" && code !== "ERR_STREAM_PREMATURE_CLOSE" && code !== "ABORT_ERR") throw error;
  }
}

function writeTo(socket: Socket, bytes: Uint8Array | string): Promise<void> {
  if (socket.destroyed || !socket.writable) return Promise.resolve();
  if (socket.write(bytes)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.once("drain", done);
    socket.once("close", done);
  });
}
