import type {
  AuthAnswer,
  BuildPruneAnswer,
  CheckFindingAnswer,
  CollectionAnswer,
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

/** Bounds in bytes: what may stay in any case, what may be used at most, what is to be free. */
export interface PruneBuildCacheOptions {
  readonly all?: boolean;
  readonly filters?: Filters;
  readonly reservedBytes?: number;
  readonly maxUsedBytes?: number;
  readonly minFreeBytes?: number;
}

/** What an engine says of itself before any version is settled. */
export interface Ping {
  readonly apiVersion: string;
  readonly osType: string;
  readonly builderVersion: string;
}

/** `/_ping`, `/version`, `/info`, `/auth`, `/events`, `/system/df`, `/build/prune`, and `/slipway`, which Docker does not have. */
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

  /** Removes what nothing needs of the build cache. */
  pruneBuildCache(options: PruneBuildCacheOptions = {}, signal?: AbortSignal): Promise<BuildPruneAnswer> {
    const { all, filters, reservedBytes, maxUsedBytes, minFreeBytes } = options;
    const query = {
      all,
      // Both names of it: engines before API 1.48 know the first.
      "keep-storage": reservedBytes,
      "reserved-space": reservedBytes,
      "max-used-space": maxUsedBytes,
      "min-free-space": minFreeBytes,
      ...filterQuery(filters),
    };
    return this.#transport.json("POST", "/build/prune", { query, signal });
  }

  /** Has a slipway daemon keep to its disk budget now, or (`dryRun`) say what would go. */
  collect(options: { readonly dryRun?: boolean } = {}, signal?: AbortSignal): Promise<CollectionAnswer> {
    return this.#transport.json("POST", "/slipway/gc", { query: { "dry-run": options.dryRun }, signal });
  }

  /** Has a slipway daemon check what it stores; yields what it finds as it finds it. */
  async check(
    options: { readonly repair?: boolean } = {},
    signal?: AbortSignal,
  ): Promise<AsyncIterable<CheckFindingAnswer>> {
    const { repair } = options;
    return jsonStream(await this.#transport.send("POST", "/slipway/check", { query: { repair }, signal }));
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
