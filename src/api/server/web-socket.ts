import type { IncomingMessage } from "node:http";
import type { Session } from "#containers";
import type { RawData, WebSocket } from "ws";
import type { RequestHead } from "./http/head.ts";
import type { RawStream } from "./http/raw-stream.ts";
import { StreamDuplex } from "./http/stream-duplex.ts";

/** Of one message; the bound that Docker's library has. */
const maxMessageBytes = 32 * 1024 * 1024;

/**
 * Joins a container's session with a client that speaks WebSocket (RFC 6455) until either ends: output is never framed by
 * stream, messages are input, and the client's close is the input's end. Disposes the session.
 */
export async function joinWebSocket(
  stream: RawStream,
  head: RequestHead,
  session: Session,
  form: { readonly binary: boolean },
): Promise<void> {
  try {
    const duplex = new StreamDuplex(stream);
    const over = Promise.withResolvers<void>();
    // It has said all, or refused the handshake, or the client is gone.
    duplex.once("finish", over.resolve).once("close", over.resolve);
    duplex.on("error", () => over.resolve());
    const socket = await shakeHands(duplex, head, over.promise);
    if (socket === undefined) return;
    const inputEnded = takeInput(socket, session, stream.signal);
    await Promise.race([sendOutput(socket, session, form), inputEnded]);
    socket.close(1000);
    await over.promise;
  } finally {
    await session[Symbol.asyncDispose]();
  }
}

/** The library writes the whole answer; undefined when it was a refusal (400 with the reason). */
async function shakeHands(
  duplex: StreamDuplex,
  head: RequestHead,
  over: Promise<void>,
): Promise<WebSocket | undefined> {
  const { WebSocketServer } = await import("ws");
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  // Of a request, the library reads method, target and headers.
  const request = { method: head.method, url: head.target, headers: Object.fromEntries(head.headers) };
  const shaken = new Promise<WebSocket>((resolve) => {
    server.handleUpgrade(request as IncomingMessage, duplex, Buffer.alloc(0), resolve);
  });
  return await Promise.race([shaken, over.then(() => undefined)]);
}

/** Resolves when the client has closed or broken off. One message after the other; what waits is bounded by the pause. */
async function takeInput(socket: WebSocket, session: Session, gone: AbortSignal): Promise<void> {
  const ended = Promise.withResolvers<void>();
  let written = Promise.resolve();
  socket.on("message", (data: RawData) => {
    socket.pause();
    // What goes wrong here shows in the output's end.
    written = written
      .then(async () => await session.write(bytesOf(data)))
      .catch(() => undefined)
      .then(() => socket.resume());
  });
  socket.on("error", () => ended.resolve()); // a broken frame; the library closes with the reason
  socket.on("close", () => ended.resolve());
  await ended.promise;
  await written;
  if (!gone.aborted) await session.endInput();
}

async function sendOutput(socket: WebSocket, session: Session, { binary }: { binary: boolean }): Promise<void> {
  for await (const item of session.output) {
    const bytes = item.stream === "systemerr" ? Buffer.from(item.text) : item.bytes;
    const { promise, resolve } = Promise.withResolvers<void>();
    // Called when the connection took the bytes, or never will.
    socket.send(bytes, { binary }, () => resolve());
    await promise;
  }
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
