import type { Socket } from "node:net";

/** Bytes kept unread before the socket is paused. */
const highWaterBytes = 64 * 1024;

/** The incoming side of a connection, read by pulling; bytes can be put back. Never throws: a broken connection is an end. */
export class SocketInput {
  readonly #socket: Socket;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #ended = false;
  /** One, or two for a moment when a stream's end hands over to the connection's. */
  #wakers: (() => void)[] = [];
  readonly #endListeners = new Set<() => void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#push(bytes));
    socket.on("end", () => this.#finish());
    socket.on("close", () => this.#finish());
  }

  /** Whether the peer has finished sending (or is gone); bytes may still be queued. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The next bytes; undefined at the end. One reader at a time. */
  async read(): Promise<Buffer | undefined> {
    while (this.#queue.length === 0) {
      if (this.#ended) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wakers.push(resolve);
      await promise;
    }
    return this.takeQueued();
  }

  /** What is here already, without waiting; undefined when nothing is. */
  takeQueued(): Buffer | undefined {
    const bytes = this.#queue.shift();
    if (bytes === undefined) return undefined;
    this.#queuedBytes -= bytes.length;
    if (this.#queuedBytes < highWaterBytes && this.#socket.isPaused()) this.#socket.resume();
    return bytes;
  }

  /** Puts bytes back to be read first. */
  unread(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#queue.unshift(bytes);
    this.#queuedBytes += bytes.length;
  }

  /** Calls back when the peer finishes sending or is gone, at once if it has; answers how to stop listening. */
  onEnd(listener: () => void): () => void {
    if (this.#ended) listener();
    else this.#endListeners.add(listener);
    return () => void this.#endListeners.delete(listener);
  }

  /** Waits no longer: what comes from now on is an end. */
  giveUp(): void {
    this.#finish();
  }

  #push(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes >= highWaterBytes) this.#socket.pause();
    this.#wakeReader();
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#wakeReader();
    for (const listener of this.#endListeners) listener();
    this.#endListeners.clear();
  }

  #wakeReader(): void {
    for (const wake of this.#wakers.splice(0)) wake();
  }
}
