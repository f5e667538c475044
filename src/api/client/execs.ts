import type { ExecCreateAnswer, ExecCreateRequest, ExecInspect } from "#api/wire";
import type { Connection } from "./connection.ts";
import { connectionOf } from "./containers.ts";
import type { Transport } from "./transport.ts";

/** `/exec`: commands in running containers. */
export class ExecsClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(containerId: string, request: ExecCreateRequest, signal?: AbortSignal): Promise<ExecCreateAnswer> {
    return this.#transport.json("POST", `/containers/${encodeURIComponent(containerId)}/exec`, {
      body: request,
      signal,
    });
  }

  /** Starts it and connects to its streams. `size` is the terminal's from the first byte on (API 1.42). */
  async start(
    execId: string,
    options: {
      readonly tty?: boolean;
      readonly size?: { readonly rows: number; readonly columns: number } | undefined;
    } = {},
    signal?: AbortSignal,
  ): Promise<Connection> {
    const { size, tty = false } = options;
    const body = { Detach: false, Tty: tty, ...(size !== undefined && { ConsoleSize: [size.rows, size.columns] }) };
    const hijacked = await this.#transport.hijack(`/exec/${execId}/start`, { body, signal });
    return connectionOf(this.#transport, hijacked, tty);
  }

  /** Starts it and leaves it alone. */
  async startDetached(execId: string, options: { readonly tty?: boolean } = {}, signal?: AbortSignal): Promise<void> {
    const body = { Detach: true, Tty: options.tty ?? false };
    await this.#transport.done("POST", `/exec/${execId}/start`, { body, signal });
  }

  inspect(execId: string, signal?: AbortSignal): Promise<ExecInspect> {
    return this.#transport.json("GET", `/exec/${execId}/json`, { signal });
  }

  async resize(
    execId: string,
    size: { readonly rows: number; readonly columns: number },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#transport.done("POST", `/exec/${execId}/resize`, { query: { h: size.rows, w: size.columns }, signal });
  }
}
