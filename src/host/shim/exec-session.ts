import { Fault, isFault } from "#core/fault";
import { outputChunkOf } from "./attachment.ts";
import { encodeFrame, Fields, frameType } from "./frame.ts";
import type { FrameSocket } from "./frame-socket.ts";
import { Handover } from "./handover.ts";
import type { ExecSession, OutputChunk, TerminalSize } from "./shim-types.ts";

type ExecEnd = Awaited<ExecSession["ended"]>;

/** What is asked of the monitor beside the program's own connection. */
export interface ExecControl {
  readonly tty: boolean;
  resize(size: TerminalSize): Promise<void>;
  kill(): Promise<void>;
}

/** A program started by `exec`, over the connection that asked for it. */
export class ShimExecSession implements ExecSession {
  readonly pid: number;
  readonly ended: Promise<ExecEnd>;
  readonly #socket: FrameSocket;
  readonly #output = new Handover<OutputChunk>();
  readonly #control: ExecControl;

  constructor(socket: FrameSocket, pid: number, control: ExecControl) {
    this.#socket = socket;
    this.pid = pid;
    this.#control = control;
    this.ended = this.#pump();
    this.ended.catch(() => undefined); // whoever awaits it still sees the rejection
  }

  get output(): AsyncIterable<OutputChunk> {
    return this.#output;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#socket.sendInput(bytes);
  }

  async endInput(): Promise<void> {
    await this.#socket.send(encodeFrame(frameType.stdinEof));
  }

  /** By a connection of its own: input that the program does not take must not hold it up. */
  async resize(size: TerminalSize): Promise<void> {
    await this.#control.resize(size);
  }

  async kill(): Promise<void> {
    try {
      await this.#control.kill();
    } catch (error) {
      if (!isFault(error, "conflict") && !isFault(error, "unavailable")) throw error;
    }
  }

  /** The connection stays, for the end to come by. A terminal's input has no end; a pipe's ends with its writer. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#output.abandon();
    if (!this.#control.tty) this.endInput().catch(() => undefined); // not waited for: the program may not take its input
  }

  async #pump(): Promise<ExecEnd> {
    try {
      for (;;) {
        const frame = await this.#socket.receive();
        if (frame === undefined) throw new Fault("unavailable", "the container's monitor went away");
        const chunk = outputChunkOf(frame);
        if (chunk !== undefined) await this.#output.put(chunk);
        if (frame.type !== frameType.exit) continue;
        const fields = new Fields(frame.payload);
        const signal = fields.number("signal") ?? 0;
        this.#output.finish();
        return { code: fields.number("code") ?? null, signal: signal === 0 ? null : signal };
      }
    } catch (error) {
      this.#output.finish(error);
      throw error;
    } finally {
      this.#socket.close();
    }
  }
}
