import { decodeOutput, encodeFrame, type Frame, frameType } from "./frame.ts";
import type { FrameSocket } from "./frame-socket.ts";
import type { Attachment, AttachItem, OutputChunk } from "./shim-types.ts";

/** The streams of an attached client over its connection; frames are read as the consumer asks for them. */
export function attachmentOver(socket: FrameSocket): Attachment {
  return {
    output: attachItems(socket),
    write: (bytes) => socket.sendInput(bytes),
    endInput: (force = false) => socket.send(encodeFrame(frameType.stdinEof, Uint8Array.of(force ? 1 : 0))),
    [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
  };
}

/** The chunk in a STDOUT or STDERR frame; undefined for any other frame. */
export function outputChunkOf(frame: Frame): OutputChunk | undefined {
  if (frame.type !== frameType.stdout && frame.type !== frameType.stderr) return undefined;
  return { stream: frame.type === frameType.stdout ? "stdout" : "stderr", ...decodeOutput(frame.payload) };
}

async function* attachItems(socket: FrameSocket): AsyncGenerator<AttachItem, void, undefined> {
  try {
    for (;;) {
      const frame = await socket.receive();
      const chunk = frame === undefined ? undefined : outputChunkOf(frame);
      if (chunk !== undefined) {
        yield { kind: "output", chunk };
      } else if (frame?.type === frameType.eof) {
        return;
      } else {
        // A connection that ends without EOF was cut in the middle of a frame: output is missing there too.
        yield { kind: "gap" };
        return;
      }
    }
  } finally {
    socket.close();
  }
}
