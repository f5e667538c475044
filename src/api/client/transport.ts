import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { SecureContextOptions } from "node:tls";
import { asFault, Fault } from "#core/fault";
import type { Address } from "./address.ts";
import { ConnectionFault, EngineFault } from "./engine-fault.ts";

// An import would read each of the module's exports, and one of them loads a second HTTP client: 20 ms at every start.
const http = process.getBuiltinModule("node:http");

/** What a call may carry beside its path. */
export interface Call {
  readonly query?: Readonly<Record<string, QueryValue>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is (a tar archive). */
  readonly stream?: AsyncIterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export type QueryValue = string | number | boolean | readonly string[] | undefined;

/** A connection that became a plain byte stream. */
export interface HijackedSocket {
  readonly socket: Socket;
  /** Bytes that came right behind the answer's head. */
  readonly head: Buffer;
  readonly contentType: string;
}

export interface TransportOptions {
  readonly address: Address;
  /** The address as a person wrote it, for messages. */
  readonly host: string;
  /** Keys and authorities for TLS; `rejectUnauthorized` false skips the check of the server. */
  readonly tls?: SecureContextOptions & { readonly rejectUnauthorized?: boolean };
  readonly headers?: Readonly<Record<string, string>>;
  /** `1.44`; the newest that both know when undefined. */
  readonly apiVersion?: string;
}

/** The newest API version that this client knows. */
export const newestApiVersion = "1.51";

/** HTTP to one engine: versions, queries, faults. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #fixedVersion: boolean;
  #agent: Agent | undefined;
  #version: string;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#fixedVersion = options.apiVersion !== undefined;
    this.#version = options.apiVersion ?? newestApiVersion;
  }

  /** The API version in use; settled after the first answer. */
  get version(): string {
    return this.#version;
  }

  /** Whether the engine's API is that new. */
  atLeast(version: string): boolean {
    return compareVersions(this.#version, version) >= 0;
  }

  /** The answer with its body unread; refusals are EngineFaults, no connection a ConnectionFault. `ok` lists statuses that are no fault. */
  async send(method: string, path: string, call: Call = {}): Promise<IncomingMessage> {
    // A body that can be sent only once must not meet a version refusal.
    if (call.stream !== undefined && !this.#fixedVersion) await this.#settle(call.signal);
    for (;;) {
      const request = this.#open(method, path, call);
      const response = await answerOf(request, call, this.#options.host);
      if ((response.statusCode ?? 0) < 400 && response.statusCode !== 304) return response;
      const fault = await faultOf(response);
      if (call.stream !== undefined || !this.#lowerVersion(fault)) throw fault;
    }
  }

  /** The answer's JSON body; undefined when it has none. */
  async json<Answer>(method: string, path: string, call: Call = {}): Promise<Answer> {
    const response = await this.send(method, path, call);
    const text = await textOf(response);
    try {
      return (text === "" ? undefined : JSON.parse(text)) as Answer;
    } catch (error) {
      throw new Fault("internal", `the engine's answer is not JSON: ${text.slice(0, 200)}`, { cause: error });
    }
  }

  /** A call whose answer's body does not matter; answers the headers. */
  async done(method: string, path: string, call: Call = {}): Promise<IncomingMessage["headers"]> {
    const response = await this.send(method, path, call);
    response.resume();
    await new Promise<void>((resolve, reject) => {
      response.once("close", resolve);
      response.once("error", reject);
    });
    return response.headers;
  }

  /** Turns the connection into a byte stream in both directions (`Upgrade: tcp`). */
  async hijack(path: string, call: Call): Promise<HijackedSocket> {
    for (;;) {
      const headers = { ...call.headers, Connection: "Upgrade", Upgrade: "tcp" };
      const request = this.#open("POST", path, { ...call, headers });
      const answer = await upgradeOf(request, call, this.#options.host);
      if ("contentType" in answer) return answer;
      const fault = await faultOf(answer);
      if (!this.#lowerVersion(fault)) throw fault;
    }
  }

  close(): void {
    this.#agent?.destroy();
  }

  #open(method: string, path: string, call: Call): ClientRequest {
    const { address } = this.#options;
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const isHijack = call.headers?.["Upgrade"] !== undefined;
    const options: RequestOptions & { rejectUnauthorized?: boolean } = {
      ...(address.kind === "unix" ? { socketPath: address.path } : { host: address.host, port: address.port }),
      ...this.#options.tls,
      method,
      path: `${address.kind === "tcp" ? address.basePath : ""}/v${this.#version}${path}${queryText(call.query)}`,
      headers: {
        Host: address.kind === "unix" ? "slipway" : `${address.host}:${address.port}`,
        "User-Agent": "slipway-client",
        ...this.#options.headers,
        ...(body !== undefined && { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) }),
        ...(call.stream !== undefined && { "Content-Type": "application/x-tar" }),
        ...(body === undefined && call.stream === undefined && method === "POST" && { "Content-Length": 0 }),
        ...call.headers,
      },
      agent: isHijack ? false : this.#takeAgent(),
      ...(call.signal !== undefined && { signal: call.signal }),
    };
    const isTls = address.kind === "tcp" && address.tls;
    const request = isTls ? process.getBuiltinModule("node:https").request(options) : http.request(options);
    request.once("socket", (socket) => socket.setNoDelay(true));
    if (call.stream === undefined) request.end(body);
    return request;
  }

  #takeAgent(): Agent {
    const isTls = this.#options.address.kind === "tcp" && this.#options.address.tls;
    this.#agent ??= isTls
      ? new (process.getBuiltinModule("node:https").Agent)({ keepAlive: true })
      : new http.Agent({ keepAlive: true });
    return this.#agent;
  }

  async #settle(signal: AbortSignal | undefined): Promise<void> {
    await this.done("GET", "/_ping", { signal });
  }

  /** Learns the engine's newest version from its refusal; whether a second try makes sense. */
  #lowerVersion(fault: EngineFault): boolean {
    if (this.#fixedVersion || fault.status !== 400) return false;
    const newest = /too new\. Maximum supported API version is (\d+\.\d+)/.exec(fault.message)?.[1];
    if (newest === undefined || compareVersions(newest, this.#version) >= 0) return false;
    this.#version = newest;
    return true;
  }
}

/** Which of two `1.NN` versions is newer: negative, zero or positive. */
export function compareVersions(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split(".").map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split(".").map(Number);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}

/** A query string with its `?`; undefined and false are left out, lists are repeated. */
export function queryText(query: Call["query"]): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === false) continue;
    if (typeof value === "object") for (const item of value) parameters.append(name, item);
    else parameters.append(name, value === true ? "1" : String(value));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

async function answerOf(request: ClientRequest, call: Call, host: string): Promise<IncomingMessage> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.once("error", (error) => reject(connectionFault(error, host, call.signal)));
  });
  if (call.stream === undefined) return answered;
  // An early refusal ends the upload: its words matter, not the broken pipe.
  const upload = pipeline(Readable.from(call.stream), request).then(
    () => answered,
    (error: unknown) => {
      if (request.destroyed && request.errored !== null) return answered;
      request.destroy();
      throw asFault(error);
    },
  );
  return Promise.race([answered, upload]);
}

function upgradeOf(request: ClientRequest, call: Call, host: string): Promise<HijackedSocket | IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once("upgrade", (response, socket, head) => {
      resolve({ socket, head, contentType: response.headers["content-type"] ?? "" });
    });
    request.once("response", (response) => {
      if (response.statusCode !== undefined && response.statusCode < 400) {
        response.destroy();
        reject(new Fault("internal", `unable to upgrade to tcp, received ${response.statusCode}`));
      } else resolve(response);
    });
    request.once("error", (error) => reject(connectionFault(error, host, call.signal)));
  });
}

function connectionFault(
  error: Error & { code?: string; syscall?: string },
  host: string,
  signal: AbortSignal | undefined,
): Fault {
  if (signal?.aborted === true) return new Fault("cancelled", "cancelled", { cause: error });
  if (error.syscall === "connect" || error.syscall === "getaddrinfo") return new ConnectionFault(host, error);
  return new Fault("unavailable", `error during connect: ${host}: ${error.message}`, { cause: error });
}

async function faultOf(response: IncomingMessage): Promise<EngineFault> {
  const status = response.statusCode ?? 500;
  const text = await textOf(response);
  return new EngineFault(status, messageOf(text) || `${response.statusMessage || "request failed"} (status ${status})`);
}

function messageOf(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && "message" in parsed) return String(parsed.message).trim();
  } catch {
    // Old routes and proxies answer in plain text.
  }
  return text.trim();
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (error) {
    throw new Fault("unavailable", `the connection to the engine broke: ${asFault(error).message}`, { cause: error });
  }
  return Buffer.concat(chunks).toString();
}
