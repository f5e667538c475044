import {
  type BuildMessage,
  type BuildRecordAnswer,
  type BuildSessionAnswer,
  type BuildSessionRequest,
  buildStreamType,
  type RegistryAuthHeader,
} from "#api/wire";
import { Fault } from "#core/fault";
import { type Connection, openConnection } from "./connection.ts";
import { jsonStream } from "./json-stream.ts";
import type { QueryValue, Transport } from "./transport.ts";

export interface BuildCall {
  /** Parameters of `POST /build`, the Engine API's and ours (`BuildOutput` tells them). */
  readonly query: Readonly<Record<string, QueryValue>>;
  /** The context as an archive; absent: the query names it. */
  readonly archive?: AsyncIterable<Uint8Array>;
  /** Credentials by registry. */
  readonly registries?: Readonly<Record<string, RegistryAuthHeader>>;
}

/** `/build`: builds of a slipway daemon. */
export class BuildsClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Builds; the first promise settles when the engine began to tell. The last message is `result` or `failed`. Faults: what the engine refuses; `unsupported` of engines that are no slipway. */
  async start({ query, archive, registries }: BuildCall, signal?: AbortSignal): Promise<AsyncIterable<BuildMessage>> {
    const config = Buffer.from(JSON.stringify(registries ?? {})).toString("base64url");
    const response = await this.#transport.send("POST", "/build", {
      query,
      headers: { Accept: buildStreamType, "X-Registry-Config": config },
      ...(archive !== undefined && { stream: archive }),
      signal,
    });
    if (response.headers["content-type"] !== buildStreamType) {
      response.destroy();
      throw new Fault("unsupported", "this engine does not tell of builds as slipway does", {
        remedy: "Build with the engine's own client.",
      });
    }
    return jsonStream<BuildMessage>(response);
  }

  /** Lays down what belongs in no URL; the id is for the query's `session`, once. */
  async openSession(request: BuildSessionRequest, signal?: AbortSignal): Promise<string> {
    const answer: BuildSessionAnswer = await this.#transport.json("POST", "/slipway/build/sessions", {
      body: request,
      signal,
    });
    return answer.Id;
  }

  /** Parks a connection to an agent of ours, for a step that asks for it. */
  async parkAgent(session: string, agent: string, signal?: AbortSignal): Promise<Connection> {
    const path = `/slipway/build/sessions/${session}/agent`;
    const { socket, head } = await this.#transport.hijack(path, { query: { agent }, signal });
    return openConnection(socket, head, false);
  }

  /** Sends an archive as the named context of a session; resolves when the build has read it, or is over. */
  async sendContext(
    session: string,
    name: string,
    archive: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<void> {
    const path = `/slipway/build/sessions/${session}/context`;
    await this.#transport.done("POST", path, { query: { name }, stream: archive, signal });
  }

  /** Builds that run and that were, newest first. */
  history(signal?: AbortSignal): Promise<BuildRecordAnswer[]> {
    return this.#transport.json("GET", "/slipway/build/history", { signal });
  }

  /** Forgets builds that do not run; answers how many. */
  async forget(which: { readonly ids: readonly string[] } | "all", signal?: AbortSignal): Promise<number> {
    const query = which === "all" ? { all: true } : { id: which.ids };
    const answer: { readonly Forgotten: number } = await this.#transport.json("DELETE", "/slipway/build/history", {
      query,
      signal,
    });
    return answer.Forgotten;
  }

  /** The files of a cache mount as a tar. Fault `notFound`. */
  async exportCacheMount(id: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    return await this.#transport.send("GET", "/slipway/build/cache-mount", { query: { id }, signal });
  }

  /** Fills a cache mount from a tar. */
  async importCacheMount(id: string, archive: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    await this.#transport.done("PUT", "/slipway/build/cache-mount", { query: { id }, stream: archive, signal });
  }
}
