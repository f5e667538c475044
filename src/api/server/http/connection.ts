import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { asFault, Fault } from "#core/fault";
import type { Answer } from "./answer.ts";
import {
  type BodyFraming,
  findHeadEnd,
  framingOf,
  hasWord,
  maxHeadBytes,
  parseHead,
  type RequestHead,
} from "./head.ts";
import { serveHijack } from "./hijack.ts";
import { writeToSocket } from "./raw-stream.ts";
import { RequestBody } from "./request-body.ts";
import { sendAnswer } from "./send-answer.ts";
import { SocketInput } from "./socket-input.ts";

/** One request as the routes see it. */
export interface HttpRequest {
  readonly head: RequestHead;
  readonly body: RequestBody;
  /** Whether the client asked for `Upgrade: tcp`. */
  readonly upgrade: boolean;
  /** Aborted when the client closes its side or is gone. */
  readonly signal: AbortSignal;
  /** Whether the client is on this machine: it came by a unix socket. */
  readonly isLocal: boolean;
}

/** What answers requests. Neither function throws. */
export interface HttpService {
  answer(request: HttpRequest): Promise<Answer>;
  /** The answer for a failure; the head is absent when it could not be read. */
  refuse(fault: Fault, head: RequestHead | undefined): Answer & { readonly kind: "error" };
}

/** How long a connection may keep the server waiting. */
export interface ConnectionLimits {
  /** From the first byte of a head to its last. */
  readonly headTimeoutMs: number;
  /** Between requests. */
  readonly idleTimeoutMs: number;
  /** For the client to close after us. */
  readonly lingerMs: number;
}

/** Docker waits as long for heads; the others have no bound there. */
export const defaultLimits: ConnectionLimits = { headTimeoutMs: 60_000, idleTimeoutMs: 600_000, lingerMs: 2000 };

/** Serves a connection, one request after the other, until either side ends it, or `closing` aborts what waits and ends with the current request. Never rejects. */
export async function serveConnection(
  socket: Socket,
  service: HttpService,
  closing: AbortSignal,
  limits: ConnectionLimits = defaultLimits,
): Promise<void> {
  const input = new SocketInput(socket);
  const gone = new AbortController();
  // The abort comes first: the end of input that follows is ours, not the client's, and must not reach a container.
  const giveUp = (): void => {
    gone.abort();
    input.giveUp();
  };
  closing.addEventListener("abort", giveUp);
  socket.on("close", () => gone.abort());
  // The close that follows is what counts.
  socket.on("error", () => undefined);
  try {
    while ((await serveNext({ socket, input, gone: gone.signal, service, limits })) && !closing.aborted);
    await linger(socket, input, limits.lingerMs);
  } catch {
    // The peer went away between two writes.
  } finally {
    closing.removeEventListener("abort", giveUp);
    socket.destroy();
  }
}

/** What the steps of one connection share. */
export interface Connection {
  readonly socket: Socket;
  readonly input: SocketInput;
  /** Aborted when the connection is gone altogether, or the server ends it. */
  readonly gone: AbortSignal;
  readonly service: HttpService;
  readonly limits: ConnectionLimits;
}

/** Answers whether another request may follow. */
async function serveNext(connection: Connection): Promise<boolean> {
  const { socket, input, service } = connection;
  let head: RequestHead | undefined;
  let framing: BodyFraming;
  try {
    head = await readHead(input, connection.limits);
    if (head === undefined) return false;
    framing = framingOf(head);
  } catch (error) {
    await sendAnswer(
      socket,
      { method: head?.method ?? "GET", minor: 1, keepAlive: false },
      service.refuse(asFault(error), head),
    );
    return false;
  }
  const body = new RequestBody(input, framing, continuation(socket, head));
  const aborter = new AbortController();
  const abort = (): void => aborter.abort();
  // A client that ends its side behind a body still on the way has said all; behind a whole request it is going away.
  const stopListening = input.onEnd(() => (body.done ? abort() : undefined));
  connection.gone.addEventListener("abort", abort);
  try {
    const request: HttpRequest = {
      head,
      body,
      upgrade: wantsUpgrade(head),
      signal: aborter.signal,
      isLocal: isOfThisMachine(socket),
    };
    const answer = await service.answer(request);
    if (answer.kind === "hijack") {
      stopListening();
      await serveHijack(connection, request, framing, answer);
      return false;
    }
    const keepAlive = head.minor === 1 && !hasWord(head, "connection", "close");
    const whole = await sendAnswer(socket, { method: head.method, minor: head.minor, keepAlive }, answer, (fault) =>
      service.refuse(fault, request.head),
    );
    return whole && keepAlive && (await body.discard());
  } finally {
    stopListening();
    connection.gone.removeEventListener("abort", abort);
  }
}

/** The next head; undefined when the client ends or keeps us waiting. */
async function readHead(input: SocketInput, limits: ConnectionLimits): Promise<RequestHead | undefined> {
  let timer = setTimeout(() => input.giveUp(), limits.idleTimeoutMs);
  let bytes: Buffer = Buffer.alloc(0);
  try {
    for (;;) {
      const more = await input.read();
      if (more === undefined) return undefined;
      if (bytes.length === 0) {
        clearTimeout(timer);
        timer = setTimeout(() => input.giveUp(), limits.headTimeoutMs);
      }
      const scanned = Math.max(0, bytes.length - 3);
      bytes = trimEmptyLines(bytes.length === 0 ? more : Buffer.concat([bytes, more]));
      const end = findHeadEnd(bytes, Math.min(scanned, bytes.length));
      if (end > maxHeadBytes || (end < 0 && bytes.length > maxHeadBytes)) {
        throw new Fault("tooLarge", `request head is larger than ${maxHeadBytes} bytes`);
      }
      if (end < 0) continue;
      input.unread(bytes.subarray(end));
      return parseHead(bytes.subarray(0, end));
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Empty lines before a request are to be ignored (RFC 9112 §2.2). */
function trimEmptyLines(bytes: Buffer): Buffer {
  let start = 0;
  while (bytes[start] === 0x0d || bytes[start] === 0x0a) start++;
  return bytes.subarray(start);
}

/** TCP is never spoken without TLS. */
function isOfThisMachine(socket: Socket): boolean {
  return !(socket instanceof TLSSocket);
}

function continuation(socket: Socket, head: RequestHead): (() => void) | undefined {
  if (!hasWord(head, "expect", "100-continue")) return undefined;
  return () => void writeToSocket(socket, "HTTP/1.1 100 Continue\r\n\r\n").catch(() => undefined);
}

function wantsUpgrade(head: RequestHead): boolean {
  return hasWord(head, "connection", "upgrade") && head.headers.has("upgrade");
}

/** Ends our side and lets the client read its answer: closing with unread bytes would tear it from its hands. */
async function linger(socket: Socket, input: SocketInput, lingerMs: number): Promise<void> {
  if (socket.destroyed) return;
  socket.end();
  const timer = setTimeout(() => input.giveUp(), lingerMs);
  while ((await input.read()) !== undefined);
  clearTimeout(timer);
  if (socket.writableFinished || socket.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const last = setTimeout(resolve, lingerMs);
  socket.once("finish", resolve).once("close", resolve);
  await promise;
  clearTimeout(last);
}
