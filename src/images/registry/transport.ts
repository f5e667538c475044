import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import type { SecureContext } from "node:tls";
import { asFault, Fault } from "#core/fault";
import { bareHost } from "./address.ts";
import { guardedBody } from "./body.ts";
import { boundedLookup } from "./lookup.ts";
import { networkFailure } from "./network-failure.ts";
import { trustFor } from "./trust.ts";

/** One request to one server. Redirects, credentials and retries are for those above. */
export interface Exchange {
  readonly method: Method;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | StreamedBody;
  readonly verifyTls: boolean;
}

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A body of known length that is read as it is sent, and read anew when the request has to be sent again. */
export interface StreamedBody {
  readonly sizeBytes: number;
  open(): AsyncIterable<Uint8Array>;
}

/** What came back. The body must be read to its end or discarded. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly url: URL;
  /** The bytes as sent; ends with a RegistryFault when the connection breaks or the server stalls. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Drops the rest of the body. */
  discard(): void;
}

/** How long silence is borne. */
export interface Patience {
  /** Name, connection and TLS together. */
  readonly connectMs: number;
  /** From the sent request to the last header. */
  readonly headersMs: number;
  /** Between two pieces of a body. */
  readonly idleMs: number;
  /** Within this time of waiting at least `floorBytes` must have come: a server that drips is as good as silent. */
  readonly windowMs: number;
  readonly floorBytes: number;
}

export const patience: Patience = {
  connectMs: 10_000,
  headersMs: 30_000,
  idleMs: 20_000,
  windowMs: 20_000,
  floorBytes: 1024,
};

/** Sends requests over kept connections; proxies, trust and time limits are its business. Failures are RegistryFaults. */
export interface Transport {
  send(exchange: Exchange, signal: AbortSignal): Promise<Answer>;
  /** Closes the kept connections. */
  close(): void;
}

/** What a transport is built from. */
export interface TransportOptions {
  readonly proxyFor: (url: URL) => URL | undefined;
  readonly certificateFolders: readonly string[];
  readonly patience: Patience;
}

/** Opens a transport over node's own HTTP/1.1 client. (Its `fetch` can neither skip verification for one host nor leave redirects and encodings alone without a further package.) */
export function openTransport(options: TransportOptions): Transport {
  const agents = new Map<string, HttpAgent>();
  return {
    async send(exchange, signal) {
      if (signal.aborted) throw cancelled(signal);
      const proxy = options.proxyFor(exchange.url);
      try {
        const agent = await agentFor(agents, exchange, proxy, options);
        return await send(exchange, { agent, peer: proxy ?? exchange.url, patience: options.patience }, signal);
      } catch (error) {
        if (signal.aborted) throw cancelled(signal);
        throw error instanceof Fault ? error : networkFailure(error, exchange.method, exchange.url, proxy);
      }
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}

async function agentFor(
  agents: Map<string, HttpAgent>,
  exchange: Exchange,
  proxy: URL | undefined,
  options: TransportOptions,
): Promise<HttpAgent> {
  const isTls = exchange.url.protocol === "https:";
  const trust = isTls && exchange.verifyTls ? await trustFor(exchange.url.host, options.certificateFolders) : undefined;
  const key = `${isTls ? (trust?.key ?? "unverified") : "plain"} ${proxy?.href ?? ""}`;
  const kept = agents.get(key);
  if (kept !== undefined) return kept;
  const made = isTls ? httpsAgent(trust?.context, proxy) : new HttpAgent(agentOptions(proxy));
  agents.set(key, made);
  return made;
}

function httpsAgent(context: SecureContext | undefined, proxy: URL | undefined): HttpsAgent {
  const tls = context === undefined ? { rejectUnauthorized: false } : { secureContext: context };
  return new HttpsAgent({ ...agentOptions(proxy), ...tls });
}

function agentOptions(proxy: URL | undefined): ConstructorParameters<typeof HttpAgent>[0] {
  const proxyEnv = proxy === undefined ? {} : { proxyEnv: { HTTP_PROXY: proxy.href, HTTPS_PROXY: proxy.href } };
  return { keepAlive: true, maxSockets: 16, maxFreeSockets: 8, ...proxyEnv };
}

const lookup = boundedLookup();

interface Means {
  readonly agent: HttpAgent;
  /** The server that we connect to: the proxy if there is one. */
  readonly peer: URL;
  readonly patience: Patience;
}

function send(exchange: Exchange, { agent, peer, patience }: Means, signal: AbortSignal): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const streamed = typeof exchange.body === "object" ? exchange.body : undefined;
  const request = (exchange.url.protocol === "https:" ? httpsRequest : httpRequest)(exchange.url, {
    agent,
    method: exchange.method,
    headers: {
      "accept-encoding": "identity",
      "user-agent": "slipway",
      ...(streamed !== undefined && { "content-length": `${streamed.sizeBytes}` }),
      ...exchange.headers,
    },
    lookup,
    signal,
  });
  let isResolved = isIP(bareHost(peer)) !== 0;
  request.once("socket", (socket) => {
    if (socket.connecting) socket.once("lookup", () => (isResolved = true));
  });
  const expire = (code: string) => () => request.destroy(Object.assign(new Error(code), { code }));
  let timer = setTimeout(() => expire(isResolved ? "CONNECT_TIMEOUT" : "LOOKUP_TIMEOUT")(), patience.connectMs);
  let isAnswered = false;
  // The request counts as sent once the connection stands and TLS is agreed upon.
  request.once("finish", () => {
    clearTimeout(timer);
    if (!isAnswered) timer = setTimeout(expire("HEADERS_TIMEOUT"), patience.headersMs);
  });
  request.once("response", (response) => {
    isAnswered = true;
    clearTimeout(timer);
    // A server that has said no before it has all: the connection is of no use to anybody else.
    response.once("end", () => request.writableEnded || request.destroy());
    resolve(answerOf(exchange, response, patience, signal));
  });
  request.on("error", (error) => {
    clearTimeout(timer);
    reject(error);
  });
  request.once("close", () => clearTimeout(timer));
  if (streamed === undefined) request.end(exchange.body);
  else {
    const taken = (isWaiting: boolean): void => {
      if (isAnswered || (isWaiting && request.socket?.connecting !== false)) return;
      clearTimeout(timer);
      if (isWaiting) timer = setTimeout(expire("NOT_TAKEN"), patience.idleMs);
    };
    feed(request, streamed, taken).catch((error: unknown) => request.destroy(asFault(error)));
  }
  return promise;
}

/** Sends the body piece by piece, each when the one before it is with the kernel; leaves off when the request has ended otherwise. */
async function feed(request: ClientRequest, body: StreamedBody, onWait: (isWaiting: boolean) => void): Promise<void> {
  for await (const piece of body.open()) {
    if (request.destroyed) return;
    onWait(true);
    await written(request, piece);
    onWait(false);
  }
  if (!request.destroyed) request.end();
}

function written(request: ClientRequest, piece: Uint8Array): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => resolve();
  request.once("close", done);
  request.write(piece, done);
  return promise.finally(() => request.off("close", done));
}

function answerOf(exchange: Exchange, response: IncomingMessage, patience: Patience, signal: AbortSignal): Answer {
  response.on("error", ignore); // told to whoever reads the body; nobody may be reading
  if (exchange.method === "HEAD") response.resume(); // gives the connection back
  const body = guardedBody(response, patience, (error) =>
    signal.aborted ? cancelled(signal) : networkFailure(error, exchange.method, exchange.url),
  );
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    url: exchange.url,
    body,
    discard: () => discard(response),
  };
}

/** Reads a short rest to its end, so that the connection can be used again; cuts a long or slow one off. */
function discard(response: IncomingMessage): void {
  let leftBytes = 65_536;
  const timer = setTimeout(() => response.destroy(), 1000);
  response.once("close", () => clearTimeout(timer));
  response.on("data", (piece: Uint8Array) => {
    leftBytes -= piece.length;
    if (leftBytes < 0) response.destroy();
  });
}

function cancelled(signal: AbortSignal): Fault {
  return new Fault("cancelled", "context canceled", { cause: signal.reason });
}

function ignore(): void {}
