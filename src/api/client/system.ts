import type {
  AuthAnswer,
  DiskUsageAnswer,
  EventMessage,
  Filters,
  InfoAnswer,
  RegistryAuthHeader,
  VersionAnswer,
} from "#api/wire";
import { filterQuery } from "./containers.ts";
import { jsonStream } from "./json-stream.ts";
import type { Transport } from "./transport.ts";

/** What an engine says of itself before any version is settled. */
export interface Ping {
  readonly apiVersion: string;
  readonly osType: string;
  readonly builderVersion: string;
}

/** `/_ping`, `/version`, `/info`, `/auth`, `/events`, `/system/df`. */
export class SystemClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async ping(signal?: AbortSignal): Promise<Ping> {
    const headers = await this.#transport.done("GET", "/_ping", { signal });
    const text = (name: string): string => String(headers[name] ?? "");
    return { apiVersion: text("api-version"), osType: text("ostype"), builderVersion: text("builder-version") };
  }

  version(signal?: AbortSignal): Promise<VersionAnswer> {
    return this.#transport.json("GET", "/version", { signal });
  }

  info(signal?: AbortSignal): Promise<InfoAnswer> {
    return this.#transport.json("GET", "/info", { signal });
  }

  diskUsage(signal?: AbortSignal): Promise<DiskUsageAnswer> {
    return this.#transport.json("GET", "/system/df", { signal });
  }

  /** Has the engine show the credentials to the registry of `serveraddress`. Fault `unauthorized` when they are refused. */
  checkCredentials(auth: RegistryAuthHeader, signal?: AbortSignal): Promise<AuthAnswer> {
    return this.#transport.json("POST", "/auth", { body: auth, signal });
  }

  /** Events from `since` on, then live ones until `until` (seconds since 1970, with decimals) or the signal. */
  async events(
    options: { readonly since?: string; readonly until?: string; readonly filters?: Filters } = {},
    signal?: AbortSignal,
  ): Promise<AsyncIterable<EventMessage>> {
    const { filters, ...range } = options;
    const query = { ...range, ...filterQuery(filters) };
    return jsonStream<EventMessage>(await this.#transport.send("GET", "/events", { query, signal }));
  }
}
