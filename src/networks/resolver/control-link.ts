import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { JsonLines } from "./json-lines.ts";
import type { Acknowledgement } from "./control.ts";

/** An acknowledgement is short. */
const maxAnswerBytes = 4096;

/** The daemon's end of one control connection: lines go out without waiting, acknowledgements come back in their order. */
export class ControlLink {
  readonly #socket: Socket;
  readonly #lines = new JsonLines(maxAnswerBytes);
  /** What to do at the acknowledgements to come, the next one first. */
  readonly #awaited: (() => void)[] = [];
  #acknowledged = 0;
  /** Resolves when the connection has ended, however. */
  readonly closed: Promise<void>;

  /** `onRefused` is told what the resolver did not take. */
  constructor(socket: Socket, onRefused: (fault: string) => void) {
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    socket.on("close", resolve);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => this.#take(chunk, onRefused));
  }

  /** Says a line; `onTaken` is called when it has taken effect. Without one the line is of those that are not acknowledged. */
  say(line: string, onTaken?: () => void): void {
    if (this.#socket.destroyed) return;
    if (onTaken !== undefined) this.#awaited.push(onTaken);
    this.#socket.write(`${line}\n`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer, onRefused: (fault: string) => void): void {
    try {
      for (const line of this.#lines.push(chunk)) {
        const { ok, fault } = line as Acknowledgement;
        if (fault !== undefined) onRefused(fault);
        for (; this.#acknowledged < ok; this.#acknowledged++) this.#awaited.shift()?.();
      }
    } catch {
      this.#socket.destroy(); // whatever that is, it is no resolver
    }
  }
}

/** Connects to a resolver's `control.sock`; undefined when none answers. */
export async function connectControl(
  path: string,
  onRefused: (fault: string) => void,
): Promise<ControlLink | undefined> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return new ControlLink(socket, onRefused);
  } catch {
    socket.destroy();
    return undefined;
  }
}
