import { setMaxListeners } from "node:events";
import type { Server as NetServer, Socket } from "node:net";
import { serveConnection } from "./http/connection.ts";
import { openListener } from "./http/listener.ts";
import { Router } from "./router.ts";
import { allRoutes } from "./routes/routes.ts";
import type { Server, ServerOptions } from "./server.ts";
import { ApiService } from "./service.ts";

const maxConnections = 4096;
const closeTimeoutMs = 500;

/** Makes the server; it listens on nothing yet. */
export function openServer(options: ServerOptions): Server {
  return new ApiServer(options);
}

class ApiServer implements Server {
  readonly #options: ServerOptions;
  readonly #service: ApiService;
  readonly #closing = new AbortController();
  readonly #listeners: NetServer[] = [];
  /** Bounded by `maxConnections` of each listener. */
  readonly #connections = new Map<Socket, Promise<void>>();

  constructor(options: ServerOptions) {
    this.#options = options;
    setMaxListeners(0, this.#closing.signal); // one for each connection
    this.#service = new ApiService(new Router(allRoutes(options)), options.log);
  }

  async listen(hosts: readonly string[]): Promise<void> {
    const { group, tls, log } = this.#options;
    try {
      for (const host of hosts) {
        const listener = await openListener(host, {
          maxConnections,
          onConnection: (socket) => this.#serve(socket),
          ...(group !== undefined && { group }),
          ...(tls !== undefined && { tls }),
        });
        this.#listeners.push(listener);
        log.info("API listen", { address: host });
      }
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const closed = this.#listeners.splice(0).map(async (listener) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      listener.close(() => resolve());
      await promise;
    });
    this.#closing.abort();
    const timer = setTimeout(() => this.#destroyAll(), closeTimeoutMs);
    await Promise.all([...this.#connections.values(), ...closed]);
    clearTimeout(timer);
  }

  #serve(socket: Socket): void {
    const served = serveConnection(socket, this.#service, this.#closing.signal).finally(() =>
      this.#connections.delete(socket),
    );
    this.#connections.set(socket, served);
  }

  #destroyAll(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
  }
}
