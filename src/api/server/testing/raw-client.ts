import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openServer, type Server, type ServerOptions } from "../server.ts";

/** A server on a socket of its own, for one test. */
export interface TestServer extends AsyncDisposable {
  readonly path: string;
  readonly server: Server;
  /** A connection; bytes of the answer are read from it as text. */
  dial(): Promise<RawClient>;
  /** Sends one request on a connection of its own and reads to the end. */
  exchange(request: string): Promise<string>;
}

/** Starts a server over the given rooms. */
export async function startServer(options: ServerOptions): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-api-"));
  const path = join(folder, "s.sock");
  const server = openServer(options);
  await server.listen([`unix://${path}`]);
  const clients: RawClient[] = [];
  const dial = async (): Promise<RawClient> => {
    const client = await RawClient.dial(path);
    clients.push(client);
    return client;
  };
  return {
    path,
    server,
    dial,
    exchange: async (request) => {
      const client = await dial();
      client.send(request);
      return await client.readToEnd();
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.socket.destroy();
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** A socket that is read by what is expected. */
export class RawClient {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  #ended = false;
  #changed = Promise.withResolvers<void>();

  static async dial(path: string): Promise<RawClient> {
    const socket = connect({ path, allowHalfOpen: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("connect", resolve).once("error", reject);
    await promise;
    return new RawClient(socket);
  }

  constructor(socket: Socket) {
    this.socket = socket;
    const changed = (): void => {
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    };
    socket.on("data", (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
      changed();
    });
    const ended = (): void => {
      this.#ended = true;
      changed();
    };
    socket.on("end", ended).on("close", ended);
    socket.on("error", () => undefined);
  }

  get text(): string {
    return this.received.toString("latin1");
  }

  get ended(): boolean {
    return this.#ended;
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Waits until the answer so far holds the text. */
  async until(wanted: string): Promise<string> {
    while (!this.text.includes(wanted)) {
      if (this.#ended) throw new Error(`the connection ended before ${JSON.stringify(wanted)}: ${this.text}`);
      await this.#changed.promise;
    }
    return this.text;
  }

  async readToEnd(): Promise<string> {
    while (!this.#ended) await this.#changed.promise;
    return this.text;
  }
}

/** Status, headers and body (chunks joined) of an answer. */
export function parseAnswer(text: string): { status: number; headers: Record<string, string>; body: string } {
  const end = text.indexOf("\r\n\r\n");
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)] as const),
  );
  const rest = text.slice(end + 4);
  const body = headers["transfer-encoding"] === "chunked" ? joinChunks(rest) : rest;
  return { status: Number(first.split(" ")[1]), headers, body };
}

function joinChunks(text: string): string {
  let body = "";
  let at = 0;
  for (;;) {
    const line = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (!(size > 0)) return body;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}
