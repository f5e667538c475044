import { closeSync, constants, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { basename, dirname } from "node:path";
import { Fault } from "#core/fault";
import { encodeFrame, type Frame, frameType, maxFrameBytes, maxInputBytes } from "./frame.ts";

/** One connection to the zygote or to a monitor; frames are read when asked for, so back-pressure reaches the other side. */
export class FrameSocket implements AsyncDisposable {
  readonly #socket: Socket;
  #error: Error | undefined;
  #length: { readonly type: number; readonly bytes: number } | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    const wake = (): void => this.#wake?.();
    socket.on("readable", wake).on("end", wake).on("close", wake);
    socket.on("error", (error) => {
      this.#error = error;
      wake();
    });
  }

  /** Whether nothing can be sent any more. */
  get closed(): boolean {
    return this.#socket.destroyed || this.#socket.readableEnded;
  }

  /** Resolves when the kernel took the bytes. Fault `unavailable` when the connection is lost. */
  async send(frame: Uint8Array): Promise<void> {
    if (this.#socket.destroyed) throw this.#lost();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.write(frame, (error) => (error ? reject(this.#lost(error)) : resolve()));
    await promise;
  }

  /** Sends stdin bytes, in as many frames as they need. */
  async sendInput(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += maxInputBytes)
      await this.send(encodeFrame(frameType.stdin, bytes.subarray(at, at + maxInputBytes)));
  }

  /** The next frame, or undefined at the end of the connection. One caller at a time. */
  async receive(): Promise<Frame | undefined> {
    for (;;) {
      const frame = this.#next();
      if (frame !== undefined) return frame;
      if (this.closed || this.#error !== undefined) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #next(): Frame | undefined {
    if (this.#length === undefined) {
      const head = this.#socket.read(5) as Buffer | null;
      if (head === null || head.length < 5) return undefined;
      const bytes = head.readUInt32BE(0) - 1;
      if (bytes < 0 || bytes >= maxFrameBytes) {
        this.#socket.destroy(new Error("frame too large"));
        return undefined;
      }
      this.#length = { type: head.readUInt8(4), bytes };
    }
    const { type, bytes } = this.#length;
    const payload = bytes === 0 ? Buffer.alloc(0) : (this.#socket.read(bytes) as Buffer | null);
    if (payload === null || payload.length < bytes) return undefined;
    this.#length = undefined;
    return { type, payload };
  }

  #lost(cause: unknown = this.#error): Fault {
    return new Fault("unavailable", "the connection to the shim is lost", { cause });
  }
}

/** Connects to a socket by path, of any length; undefined when nobody listens there. */
export async function connectFrames(path: string): Promise<FrameSocket | undefined> {
  // A unix address holds 107 bytes: longer paths go through a descriptor of their folder.
  const folder = Buffer.byteLength(path) < 108 ? undefined : openFolder(dirname(path));
  if (folder === null) return undefined;
  try {
    const socket = connect(folder === undefined ? path : `/proc/self/fd/${folder}/${basename(path)}`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("connect", resolve).once("error", reject);
    await promise;
    socket.off("error", reject);
    return new FrameSocket(socket);
  } catch (error) {
    if (["ENOENT", "ECONNREFUSED", "ECONNRESET", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? ""))
      return undefined;
    throw new Fault("unavailable", `cannot connect to ${path}`, { cause: error });
  } finally {
    if (folder !== undefined) closeSync(folder);
  }
}

function openFolder(path: string): number | null {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch {
    return null;
  }
}
