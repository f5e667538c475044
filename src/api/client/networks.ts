import type {
  EndpointSettings,
  Filters,
  NetworkConnectRequest,
  NetworkCreateAnswer,
  NetworkCreateRequest,
  NetworkDisconnectRequest,
  NetworkInspect,
  NetworksPruneAnswer,
} from "#api/wire";
import { filterQuery } from "./containers.ts";
import type { Transport } from "./transport.ts";

/** `/networks`; a network is named by its name, its id or a unique prefix of it. */
export class NetworksClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(filters: Filters = {}, signal?: AbortSignal): Promise<NetworkInspect[]> {
    return this.#transport.json("GET", "/networks", { query: filterQuery(filters), signal });
  }

  inspect(name: string, options: { readonly verbose?: boolean } = {}, signal?: AbortSignal): Promise<NetworkInspect> {
    return this.#transport.json("GET", pathOf(name), { query: { ...options }, signal });
  }

  /** Answers the id. A name or an address space that is in use is an EngineFault of 409 or 403. */
  create(request: NetworkCreateRequest, signal?: AbortSignal): Promise<NetworkCreateAnswer> {
    return this.#transport.json("POST", "/networks/create", { body: request, signal });
  }

  /** Faults: 403 for predefined networks and for those that somebody is in. */
  async remove(name: string, signal?: AbortSignal): Promise<void> {
    await this.#transport.done("DELETE", pathOf(name), { signal });
  }

  /** Puts a container into the network: at once when it runs, else with its next start. */
  async connect(
    name: string,
    container: string,
    endpoint: Partial<EndpointSettings> = {},
    signal?: AbortSignal,
  ): Promise<void> {
    const body: NetworkConnectRequest = { Container: container, EndpointConfig: endpoint };
    await this.#transport.done("POST", `${pathOf(name)}/connect`, { body, signal });
  }

  /** With `force` a container that is gone is no failure. */
  async disconnect(
    name: string,
    container: string,
    options: { readonly force?: boolean } = {},
    signal?: AbortSignal,
  ): Promise<void> {
    const body: NetworkDisconnectRequest = { Container: container, Force: options.force ?? false };
    await this.#transport.done("POST", `${pathOf(name)}/disconnect`, { body, signal });
  }

  /** Removes the networks that nobody is in; answers their names. */
  prune(filters: Filters = {}, signal?: AbortSignal): Promise<NetworksPruneAnswer> {
    return this.#transport.json("POST", "/networks/prune", { query: filterQuery(filters), signal });
  }
}

function pathOf(name: string): string {
  return `/networks/${encodeURIComponent(name)}`;
}
