import { Fault } from "#core/fault";

/** The streams of the multiplexed form (Engine API, attach): 0 stdin, 1 stdout, 2 stderr, 3 an error of the daemon that ends the stream. */
export type FrameStream = "stdin" | "stdout" | "stderr" | "systemerr";

/** One frame: a stream's name and its bytes. */
export interface Frame {
  readonly stream: FrameStream;
  readonly bytes: Uint8Array;
}

const headerBytes = 8;
/** Far above what any daemon sends in one frame. */
const maxFrameBytes = 64 * 1024 * 1024;
const names: readonly FrameStream[] = ["stdin", "stdout", "stderr", "systemerr"];

/** The frame on the wire: 8 bytes of header (type, 0, 0, 0, length big-endian), then the bytes. */
export function encodeFrame(stream: FrameStream, bytes: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(headerBytes + bytes.length);
  frame.writeUInt32BE(names.indexOf(stream) * 0x1000000, 0);
  frame.writeUInt32BE(bytes.length, 4);
  frame.set(bytes, headerBytes);
  return frame;
}

/** Takes the frames out of bytes that come in pieces. */
export class FrameDecoder {
  #pieces: Uint8Array[] = [];
  #sizeBytes = 0;

  /** The frames that are whole with these bytes. Fault `invalid` for a type that does not exist or a frame above 64 MiB. */
  push(bytes: Uint8Array): Frame[] {
    this.#pieces.push(bytes);
    this.#sizeBytes += bytes.length;
    const frames: Frame[] = [];
    if (this.#sizeBytes < headerBytes) return frames;
    const all = this.#pieces.length === 1 ? bytes : Buffer.concat(this.#pieces);
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    let at = 0;
    while (all.length - at >= headerBytes) {
      const lengthBytes = view.getUint32(at + 4);
      const stream = names[view.getUint8(at)];
      if (stream === undefined || lengthBytes > maxFrameBytes) throw new Fault("invalid", "malformed stream frame");
      if (all.length - at - headerBytes < lengthBytes) break;
      frames.push({ stream, bytes: all.subarray(at + headerBytes, at + headerBytes + lengthBytes) });
      at += headerBytes + lengthBytes;
    }
    this.#pieces = at === all.length ? [] : [all.subarray(at)];
    this.#sizeBytes = all.length - at;
    return frames;
  }

  /** Whether the stream may end here; otherwise a frame is incomplete. */
  get isAtBoundary(): boolean {
    return this.#sizeBytes === 0;
  }
}
