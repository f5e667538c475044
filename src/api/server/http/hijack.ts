import type { HijackAnswer } from "./answer.ts";
import type { Connection, HttpRequest } from "./connection.ts";
import type { BodyFraming } from "./head.ts";
import { writeToSocket } from "./raw-stream.ts";
import { hijackHead } from "./response-head.ts";
import type { SocketInput } from "./socket-input.ts";

const emptyChunkedBody = "0\r\n\r\n";

/**
 * Makes the connection a raw stream. What the client sends behind its request is standard input, whether it asked for
 * an upgrade or not, and its half-close is the end of that input; output goes on.
 */
export async function serveHijack(
  { socket, input, gone }: Connection,
  request: HttpRequest,
  framing: BodyFraming,
  answer: HijackAnswer,
): Promise<void> {
  // A client that is gone already shows in the stream's signal; what was opened for it must be closed all the same.
  if (answer.contentType !== undefined)
    await writeToSocket(socket, hijackHead(request.upgrade, answer.contentType)).catch(() => undefined);
  await answer.serve({
    input: inputBehind(input, request, framing),
    write: async (bytes) => await writeToSocket(socket, bytes),
    signal: gone,
  });
}

async function* inputBehind(
  input: SocketInput,
  request: HttpRequest,
  framing: BodyFraming,
): AsyncGenerator<Uint8Array, void> {
  const isOpenBody = !request.body.done && framing.kind === "chunked";
  if (isOpenBody && !request.upgrade) {
    // Clients that keep a request open to write send chunks to its end.
    yield* request.body;
    return;
  }
  // Those that asked for an upgrade announce chunks too, and then send raw bytes.
  if (isOpenBody) dropEmptyBody(input);
  else if (!(await request.body.discard())) return;
  for (let bytes = await input.read(); bytes !== undefined; bytes = await input.read()) yield bytes;
}

/** A client that ended its announced body before it saw the upgrade has sent an empty one. */
function dropEmptyBody(input: SocketInput): void {
  const bytes = input.takeQueued();
  if (bytes === undefined) return;
  const isEmptyBody = bytes.toString("latin1", 0, emptyChunkedBody.length) === emptyChunkedBody;
  input.unread(isEmptyBody ? bytes.subarray(emptyChunkedBody.length) : bytes);
}
