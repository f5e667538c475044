import {
  type ChangeAnswer,
  type ContainerCreateAnswer,
  type ContainerCreateRequest,
  type ContainerInspect,
  type ContainersPruneAnswer,
  type ContainerSummary,
  type ContainerUpdateAnswer,
  type ContainerUpdateRequest,
  type Filters,
  formatFilters,
  type StatsAnswer,
  type TopAnswer,
  type WaitAnswer,
} from "#api/wire";
import { type Connection, openConnection, type OutputPiece, splitFrames, wholeStream } from "./connection.ts";
import { EngineFault } from "./engine-fault.ts";
import { type ContainerPath, pathOf, type PutArchiveOptions } from "./files.ts";
import { jsonStream } from "./json-stream.ts";
import type { HijackedSocket, Transport } from "./transport.ts";

export interface AttachOptions {
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  /** Replay the log first. */
  readonly logs?: boolean;
  /** Follow what comes; default true. */
  readonly stream?: boolean;
  readonly detachKeys?: string;
  /** Whether the container has a terminal; needed only with engines before API 1.42, which do not say. */
  readonly tty?: boolean;
}

export interface LogOptions {
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly follow?: boolean;
  readonly timestamps?: boolean;
  readonly details?: boolean;
  /** `all` or a number of lines. */
  readonly tail?: string;
  /** Seconds since 1970, with decimals if wanted. */
  readonly since?: string;
  readonly until?: string;
  /** As in AttachOptions. */
  readonly tty?: boolean;
}

/** `/containers`: each method is one route of the Engine API. Refusals are EngineFaults with the engine's words. */
export class ContainersClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(
    options: {
      readonly all?: boolean;
      readonly limit?: number;
      readonly size?: boolean;
      readonly filters?: Filters;
    } = {},
    signal?: AbortSignal,
  ): Promise<ContainerSummary[]> {
    const { filters, ...query } = options;
    return this.#transport.json("GET", "/containers/json", { query: { ...query, ...filterQuery(filters) }, signal });
  }

  create(
    request: ContainerCreateRequest,
    options: { readonly name?: string; readonly platform?: string } = {},
    signal?: AbortSignal,
  ): Promise<ContainerCreateAnswer> {
    return this.#transport.json("POST", "/containers/create", { query: { ...options }, body: request, signal });
  }

  inspect(id: string, options: { readonly size?: boolean } = {}, signal?: AbortSignal): Promise<ContainerInspect> {
    return this.#transport.json("GET", `${path(id)}/json`, { query: { ...options }, signal });
  }

  async start(id: string, options: { readonly detachKeys?: string } = {}, signal?: AbortSignal): Promise<void> {
    await unlessAlready(this.#transport.done("POST", `${path(id)}/start`, { query: { ...options }, signal }));
  }

  /** `timeoutSeconds` −1 waits for ever, 0 kills at once. */
  async stop(id: string, options: StopOptions = {}, signal?: AbortSignal): Promise<void> {
    await unlessAlready(this.#transport.done("POST", `${path(id)}/stop`, { query: stopQuery(options), signal }));
  }

  async restart(id: string, options: StopOptions = {}, signal?: AbortSignal): Promise<void> {
    await this.#transport.done("POST", `${path(id)}/restart`, { query: stopQuery(options), signal });
  }

  async kill(id: string, killSignal?: string, signal?: AbortSignal): Promise<void> {
    await this.#transport.done("POST", `${path(id)}/kill`, { query: { signal: killSignal }, signal });
  }

  async pause(id: string, signal?: AbortSignal): Promise<void> {
    await this.#transport.done("POST", `${path(id)}/pause`, { signal });
  }

  async unpause(id: string, signal?: AbortSignal): Promise<void> {
    await this.#transport.done("POST", `${path(id)}/unpause`, { signal });
  }

  update(id: string, changes: ContainerUpdateRequest, signal?: AbortSignal): Promise<ContainerUpdateAnswer> {
    return this.#transport.json("POST", `${path(id)}/update`, { body: changes, signal });
  }

  async rename(id: string, name: string, signal?: AbortSignal): Promise<void> {
    await this.#transport.done("POST", `${path(id)}/rename`, { query: { name }, signal });
  }

  /** `volumes` removes its anonymous volumes, `force` kills it first, `link` removes only the link of that name. */
  async remove(
    id: string,
    options: { readonly force?: boolean; readonly volumes?: boolean; readonly link?: boolean } = {},
    signal?: AbortSignal,
  ): Promise<void> {
    const { force, link, volumes } = options;
    await this.#transport.done("DELETE", path(id), { query: { force, link, v: volumes }, signal });
  }

  prune(filters: Filters = {}, signal?: AbortSignal): Promise<ContainersPruneAnswer> {
    return this.#transport.json("POST", "/containers/prune", { query: filterQuery(filters), signal });
  }

  /**
   * Waits for a container's end. The first promise settles when the engine has taken the wait up, so that a start after
   * it cannot be missed; `result` when the condition holds.
   */
  async wait(
    id: string,
    condition: "not-running" | "next-exit" | "removed" = "not-running",
    signal?: AbortSignal,
  ): Promise<{ readonly result: Promise<WaitAnswer> }> {
    const response = await this.#transport.send("POST", `${path(id)}/wait`, { query: { condition }, signal });
    const result = readJson<WaitAnswer>(response);
    result.catch(() => undefined); // the caller may never look at it
    return { result };
  }

  top(id: string, psArgs = "", signal?: AbortSignal): Promise<TopAnswer> {
    const query = psArgs === "" ? {} : { ps_args: psArgs };
    return this.#transport.json("GET", `${path(id)}/top`, { query, signal });
  }

  /** Readings, one a second until the signal or the container's removal; with `stream: false` one, and with `oneShot` that one at once. */
  async stats(
    id: string,
    options: { readonly stream?: boolean; readonly oneShot?: boolean } = {},
    signal?: AbortSignal,
  ): Promise<AsyncIterable<StatsAnswer>> {
    const query = { ...(options.stream === false && { stream: 0 }), "one-shot": options.oneShot };
    return jsonStream(await this.#transport.send("GET", `${path(id)}/stats`, { query, signal }));
  }

  /** What differs from the image. */
  async changes(id: string, signal?: AbortSignal): Promise<ChangeAnswer[]> {
    // Docker writes null where there is nothing.
    return (await this.#transport.json<ChangeAnswer[] | null>("GET", `${path(id)}/changes`, { signal })) ?? [];
  }

  async resize(
    id: string,
    size: { readonly rows: number; readonly columns: number },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#transport.done("POST", `${path(id)}/resize`, { query: { h: size.rows, w: size.columns }, signal });
  }

  /** What is at a path of the container. */
  async statPath(id: string, file: string, signal?: AbortSignal): Promise<ContainerPath> {
    return pathOf(await this.#transport.done("HEAD", `${path(id)}/archive`, { query: { path: file }, signal }));
  }

  /** A tar of what is at a path, named by its last part. */
  async getArchive(
    id: string,
    file: string,
    signal?: AbortSignal,
  ): Promise<{ readonly facts: ContainerPath; readonly archive: AsyncIterable<Uint8Array> }> {
    const response = await this.#transport.send("GET", `${path(id)}/archive`, { query: { path: file }, signal });
    return { facts: pathOf(response.headers), archive: response };
  }

  /** Unpacks a tar into a folder of the container. */
  async putArchive(
    id: string,
    folder: string,
    archive: AsyncIterable<Uint8Array>,
    options: PutArchiveOptions = {},
    signal?: AbortSignal,
  ): Promise<void> {
    const query = {
      path: folder,
      noOverwriteDirNonDir: options.keepKinds,
      copyUIDGID: options.copyOwner,
    };
    await this.#transport.done("PUT", `${path(id)}/archive`, { query, stream: archive, signal });
  }

  /** A tar of the container's root filesystem, without mounts. */
  exportRoot(id: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    return this.#transport.send("GET", `${path(id)}/export`, { signal });
  }

  /** Connects to the streams; works before `start` too, and then loses no byte. */
  async attach(id: string, options: AttachOptions, signal?: AbortSignal): Promise<Connection> {
    const { tty, stream = true, ...rest } = options;
    const hijacked = await this.#transport.hijack(`${path(id)}/attach`, { query: { ...rest, stream }, signal });
    return connectionOf(this.#transport, hijacked, tty);
  }

  /** The log, then what comes if `follow`. */
  async logs(id: string, options: LogOptions, signal?: AbortSignal): Promise<AsyncIterable<OutputPiece>> {
    const { tty, ...query } = options;
    const response = await this.#transport.send("GET", `${path(id)}/logs`, { query, signal });
    const type = response.headers["content-type"] ?? "";
    return isMultiplexed(this.#transport, type, tty) ? splitFrames(response) : wholeStream(response);
  }
}

export interface StopOptions {
  readonly signal?: string;
  readonly timeoutSeconds?: number;
}

/** The connection of a hijacked socket; the answer's content type says whether the streams come apart. */
export function connectionOf(transport: Transport, hijacked: HijackedSocket, tty: boolean | undefined): Connection {
  return openConnection(hijacked.socket, hijacked.head, isMultiplexed(transport, hijacked.contentType, tty));
}

/** Filters as the query carries them; nothing when there are none. */
export function filterQuery(filters: Filters | undefined): { filters?: string } {
  return filters === undefined || Object.keys(filters).length === 0 ? {} : { filters: formatFilters(filters) };
}

function isMultiplexed(transport: Transport, contentType: string, tty: boolean | undefined): boolean {
  if (contentType.includes("multiplexed-stream")) return true;
  return transport.atLeast("1.42") ? false : tty !== true;
}

function stopQuery(options: StopOptions): Record<string, string | number | undefined> {
  return { signal: options.signal, t: options.timeoutSeconds };
}

function path(id: string): string {
  return `/containers/${encodeURIComponent(id)}`;
}

async function readJson<Answer>(response: AsyncIterable<Uint8Array>): Promise<Answer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString()) as Answer;
}

/** 304 says that the container is in that state already: what was asked for is so. */
async function unlessAlready(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof EngineFault && error.status === 304)) throw error;
  }
}
