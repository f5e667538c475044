import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectSocket, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A target that is reached by a stream of bytes. */
export type StreamAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }
  | {
      readonly kind: "tls";
      readonly host: string;
      readonly port: number;
      readonly verify: boolean;
      /** Files of PEM; read at each connection, so that renewed ones are taken. */
      readonly caPath?: string;
      readonly certPath?: string;
      readonly keyPath?: string;
    };

/** `tcp://host:port`. */
export function showAddress(address: StreamAddress): string {
  if (address.kind === "unix") return `unix://${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${address.kind}://${host}:${address.port}`;
}

const connectTimeMs = 10_000;
const farewellMs = 1000;

/** A connection on which we mostly write. */
export class StreamConnection {
  readonly over: Promise<void>;
  readonly #socket: Socket;
  #failure: Error | undefined;

  private constructor(socket: Socket, onData: ((bytes: Buffer) => void) | undefined) {
    this.#socket = socket;
    socket.setKeepAlive(true, 30_000);
    socket.on("data", (bytes: Buffer) => onData?.(bytes));
    socket.on("error", (error) => (this.#failure = error));
    // A target that ends its side takes nothing more: what is written from now on would be lost without a word.
    socket.on("end", () => socket.destroy());
    this.over = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  /** Rejects when the target does not answer within ten seconds. */
  static async open(
    address: StreamAddress,
    signal: AbortSignal,
    onData?: (bytes: Buffer) => void,
  ): Promise<StreamConnection> {
    const socket = dial(address);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(connectTimeMs)]);
    try {
      await once(socket, address.kind === "tls" ? "secureConnect" : "connect", { signal: limit });
    } catch (error) {
      socket.on("error", () => {});
      socket.destroy();
      if (limit.aborted && !signal.aborted) throw new Error("i/o timeout", { cause: error });
      throw error;
    }
    return new StreamConnection(socket, onData);
  }

  /** Resolves when the kernel has the bytes; a target that reads slowly slows it down. */
  async write(bytes: Uint8Array, timeoutMs = 0): Promise<void> {
    if (this.#socket.destroyed) throw this.failure();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer =
      timeoutMs > 0 ? setTimeout(() => this.#socket.destroy(new Error("write timeout")), timeoutMs) : undefined;
    this.#socket.write(bytes, (error) => {
      // A write that a broken connection cut off is called done too.
      const failure = error ?? (this.#socket.destroyed ? this.failure() : undefined);
      if (failure instanceof Error) reject(failure);
      else resolve();
    });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends our side; true when the target then ended its own: it has read to the end. */
  async end(): Promise<boolean> {
    if (this.#socket.destroyed) return false;
    const farewell = setTimeout(() => this.#socket.destroy(new Error("no farewell")), farewellMs);
    this.#socket.end();
    await this.over;
    clearTimeout(farewell);
    return this.#failure === undefined;
  }

  /** Why it is over. */
  failure(): Error {
    return this.#failure ?? new Error("the connection was closed by the target");
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

function dial(address: StreamAddress): Socket {
  if (address.kind === "unix") return connectSocket({ path: address.path, allowHalfOpen: true });
  const { host, port } = address;
  if (address.kind === "tcp") return connectSocket({ host, port, allowHalfOpen: true });
  const { verify, caPath, certPath, keyPath } = address;
  return connectTls({
    host,
    port,
    rejectUnauthorized: verify,
    ...(!/^[\d.]+$|:/.test(host) && { servername: host }),
    ...(caPath !== undefined && { ca: readFileSync(caPath) }),
    ...(certPath !== undefined && { cert: readFileSync(certPath) }),
    ...(keyPath !== undefined && { key: readFileSync(keyPath) }),
  });
}
