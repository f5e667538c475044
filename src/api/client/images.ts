import type {
  Filters,
  ImageDeleteEntry,
  ImageHistoryEntry,
  ImageInspect,
  ImagesPruneAnswer,
  ImageSummary,
  ProgressMessage,
  RegistryAuthHeader,
} from "#api/wire";
import { filterQuery } from "./containers.ts";
import { EngineFault } from "./engine-fault.ts";
import { jsonStream } from "./json-stream.ts";
import type { Transport } from "./transport.ts";

export interface CommitOptions {
  readonly container: string;
  readonly repository?: string;
  readonly tag?: string;
  readonly comment?: string;
  readonly author?: string;
  /** Dockerfile instructions. */
  readonly changes?: readonly string[];
  /** Hold it still meanwhile; default true. */
  readonly pause?: boolean;
}

export interface PullOptions {
  /** Repository, `nginx` or `host:5000/team/app`, without tag. */
  readonly image: string;
  /** Tag or digest; absent: `latest`, or every tag with `allTags`. */
  readonly tag?: string;
  readonly allTags?: boolean;
  readonly platform?: string;
  readonly auth?: RegistryAuthHeader;
}

export interface PushOptions {
  /** Repository, `nginx` or `host:5000/team/app`, without tag; or with a digest. */
  readonly image: string;
  /** Absent: every tag of the repository, but for an image with a digest. */
  readonly tag?: string;
  /** Of an image for several platforms only that one (API 1.46). */
  readonly platform?: string;
  readonly auth?: RegistryAuthHeader;
}

export interface ImportOptions {
  readonly repository?: string;
  readonly tag?: string;
  readonly message?: string;
  readonly changes?: readonly string[];
  readonly platform?: string;
}

/** `/images`: each method is one route of the Engine API. */
export class ImagesClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(
    options: { readonly all?: boolean; readonly digests?: boolean; readonly filters?: Filters } = {},
    signal?: AbortSignal,
  ): Promise<ImageSummary[]> {
    const { filters, ...query } = options;
    return this.#transport.json("GET", "/images/json", { query: { ...query, ...filterQuery(filters) }, signal });
  }

  inspect(name: string, options: { readonly platform?: string } = {}, signal?: AbortSignal): Promise<ImageInspect> {
    const query = options.platform === undefined ? {} : { platform: platformJson(options.platform) };
    return this.#transport.json("GET", `${path(name)}/json`, { query, signal });
  }

  history(name: string, signal?: AbortSignal): Promise<ImageHistoryEntry[]> {
    return this.#transport.json("GET", `${path(name)}/history`, { signal });
  }

  async tag(
    source: string,
    target: { readonly repository: string; readonly tag: string },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#transport.done("POST", `${path(source)}/tag`, {
      query: { repo: target.repository, tag: target.tag },
      signal,
    });
  }

  remove(
    name: string,
    options: { readonly force?: boolean; readonly noPrune?: boolean } = {},
    signal?: AbortSignal,
  ): Promise<ImageDeleteEntry[]> {
    return this.#transport.json("DELETE", path(name), {
      query: { force: options.force, noprune: options.noPrune },
      signal,
    });
  }

  prune(filters: Filters = {}, signal?: AbortSignal): Promise<ImagesPruneAnswer> {
    return this.#transport.json("POST", "/images/prune", { query: filterQuery(filters), signal });
  }

  /** Pulls; the first promise settles when the engine began. A failure in the middle is thrown by the iteration. */
  async pull(options: PullOptions, signal?: AbortSignal): Promise<AsyncIterable<ProgressMessage>> {
    const { allTags = false, auth, image, platform, tag } = options;
    const response = await this.#transport.send("POST", "/images/create", {
      query: { fromImage: image, tag: allTags ? "" : (tag ?? "latest"), platform },
      headers: auth === undefined ? {} : { "X-Registry-Auth": encodeAuth(auth) },
      signal,
    });
    return progressOf(response);
  }

  /** Pushes; the first promise settles when the engine began. A message's `aux` is a PushResult. A failure in the middle is thrown by the iteration. */
  async push(options: PushOptions, signal?: AbortSignal): Promise<AsyncIterable<ProgressMessage>> {
    const { auth = {}, image, platform, tag } = options;
    const response = await this.#transport.send("POST", `${path(image)}/push`, {
      query: { tag, ...platformQuery(platform) },
      // Docker's engine wants the header, if with nothing in it.
      headers: { "X-Registry-Auth": encodeAuth(auth) },
      signal,
    });
    return progressOf(response);
  }

  /** Makes an image from a root filesystem's tar; the last message's `status` is its id. */
  async importArchive(
    archive: AsyncIterable<Uint8Array>,
    options: ImportOptions,
    signal?: AbortSignal,
  ): Promise<AsyncIterable<ProgressMessage>> {
    const { changes, message, platform, repository, tag } = options;
    const query = { fromSrc: "-", repo: repository, tag, message, changes, platform };
    return progressOf(await this.#transport.send("POST", "/images/create", { query, stream: archive, signal }));
  }

  /** Makes an image of a container. */
  commit(options: CommitOptions, signal?: AbortSignal): Promise<{ readonly Id: string }> {
    const { container, repository, tag, comment, author, changes, pause } = options;
    const query = { container, repo: repository, tag, comment, author, changes, pause: pause === false ? "0" : "1" };
    return this.#transport.json("POST", "/commit", { query, signal });
  }

  /** Loads images from a tar; messages carry `stream` lines such as `Loaded image: a:b`. */
  async load(
    archive: AsyncIterable<Uint8Array>,
    options: { readonly quiet?: boolean; readonly platform?: string } = {},
    signal?: AbortSignal,
  ): Promise<AsyncIterable<ProgressMessage>> {
    const query = { quiet: options.quiet === true ? "1" : "0", ...platformQuery(options.platform) };
    return progressOf(await this.#transport.send("POST", "/images/load", { query, stream: archive, signal }));
  }

  /** The images as one tar. */
  async save(
    names: readonly string[],
    options: { readonly platform?: string } = {},
    signal?: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    return this.#transport.send("GET", "/images/get", { query: { names, ...platformQuery(options.platform) }, signal });
  }
}

/** The header's form of credentials: JSON in base64url. */
export function encodeAuth(auth: RegistryAuthHeader): string {
  return Buffer.from(JSON.stringify(auth)).toString("base64url");
}

async function* progressOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<ProgressMessage> {
  for await (const message of jsonStream<ProgressMessage>(source)) {
    const failure = message.errorDetail?.message ?? message.error;
    if (failure !== undefined) throw new EngineFault(200, failure, "internal");
    yield message;
  }
}

function platformQuery(platform: string | undefined): { platform?: string } {
  return platform === undefined || platform === "" ? {} : { platform: platformJson(platform) };
}

function platformJson(platform: string): string {
  const [os = "", architecture = "", variant] = platform.split("/");
  return JSON.stringify({ os, architecture, ...(variant !== undefined && { variant }) });
}

// A reference's slashes and colons stand in the path as they are.
function path(name: string): string {
  return `/images/${encodeURIComponent(name).replaceAll("%2F", "/").replaceAll("%3A", ":").replaceAll("%40", "@")}`;
}
