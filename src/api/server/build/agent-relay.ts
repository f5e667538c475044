import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { Fault } from "#core/fault";
import type { RawStream } from "../http/raw-stream.ts";

/** Of each agent. */
const mostConnections = 64;
/** For a connection of the client to be parked, when a step asks. */
const patienceMs = 10_000;

interface Parked {
  readonly stream: RawStream;
  readonly leave: () => void;
}

/** An SSH agent of the client's as a socket here: each connection to it is joined with one that the client has parked. */
export class AgentRelay implements AsyncDisposable {
  readonly path: string;
  readonly #folder: string;
  readonly #server: Server;
  /** Bounded by `mostConnections`. */
  readonly #parked: Parked[] = [];
  readonly #sockets = new Set<Socket>();
  #changed = Promise.withResolvers<void>();
  #closed = false;

  /** Listens in a folder of its own below `folder`; nobody but root may connect. */
  static async open(folder: string): Promise<AgentRelay> {
    const own = join(folder, randomBytes(8).toString("hex"));
    await mkdir(own, { recursive: true, mode: 0o700 });
    const relay = new AgentRelay(own);
    relay.#server.listen(relay.path);
    await once(relay.#server, "listening");
    await chmod(relay.path, 0o600);
    return relay;
  }

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = join(folder, "agent.sock");
    this.#server = createServer({ allowHalfOpen: true }, (socket) => void this.#serve(socket));
    this.#server.maxConnections = mostConnections;
    this.#server.on("error", () => undefined);
  }

  /** Keeps a connection of the client until it has been used, or is gone. Fault `exhausted` when too many are parked. */
  async park(stream: RawStream): Promise<void> {
    if (this.#closed) return;
    if (this.#parked.length >= mostConnections) throw new Fault("exhausted", "too many connections of an SSH agent");
    const { promise, resolve } = Promise.withResolvers<void>();
    const parked = { stream, leave: resolve };
    const forget = (): void => {
      const at = this.#parked.indexOf(parked);
      if (at < 0) return;
      this.#parked.splice(at, 1);
      resolve();
    };
    stream.signal.addEventListener("abort", forget, { once: true });
    this.#parked.push(parked);
    if (stream.signal.aborted) forget();
    this.#tellWaiters();
    await promise;
    stream.signal.removeEventListener("abort", forget);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#tellWaiters();
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const { leave } of this.#parked.splice(0)) leave();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on("error", () => undefined); // its end is what counts
    try {
      const parked = await this.#take();
      if (parked === undefined) return;
      try {
        await joinStreams(socket, parked.stream);
      } finally {
        parked.leave();
      }
    } catch {
      // One of the two is gone: so is the other.
    } finally {
      socket.destroy();
      this.#sockets.delete(socket);
    }
  }

  /** A parked connection; undefined when none comes in time. */
  async #take(): Promise<Parked | undefined> {
    const late = AbortSignal.timeout(patienceMs);
    const { promise: lateness, resolve } = Promise.withResolvers<void>();
    late.addEventListener("abort", () => resolve(), { once: true });
    while (!this.#closed && !late.aborted) {
      const parked = this.#parked.shift();
      if (parked !== undefined) return parked;
      await Promise.race([this.#changed.promise, lateness]);
    }
    return undefined;
  }

  /** Whoever waits looks again, and waits for the next time. */
  #tellWaiters(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** Carries bytes both ways until either side ends. */
async function joinStreams(socket: Socket, stream: RawStream): Promise<void> {
  const outward = async (): Promise<void> => {
    for await (const bytes of socket) await stream.write(bytes as Buffer);
  };
  const inward = async (): Promise<void> => {
    for await (const bytes of stream.input) if (!socket.write(bytes)) await once(socket, "drain");
  };
  const both = [outward(), inward()];
  for (const way of both) way.catch(() => undefined);
  await Promise.race(both);
}
