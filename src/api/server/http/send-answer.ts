import type { Socket } from "node:net";
import { toJson } from "#api/wire";
import { asFault, type Fault } from "#core/fault";
import type { Answer, ErrorAnswer, HijackAnswer, StreamAnswer } from "./answer.ts";
import { writeToSocket } from "./raw-stream.ts";
import { responseHead } from "./response-head.ts";

/** What the form of an answer depends on. */
export interface AnswerForm {
  readonly method: string;
  readonly minor: 0 | 1;
  readonly keepAlive: boolean;
}

/** Sends an answer. Answers whether it ended in a way that another one can follow. */
export async function sendAnswer(
  socket: Socket,
  form: AnswerForm,
  answer: Exclude<Answer, HijackAnswer>,
  refuse?: (fault: Fault) => ErrorAnswer,
): Promise<boolean> {
  switch (answer.kind) {
    case "empty":
      return await sendWhole(socket, form, answer.status, answer.headers ?? {}, undefined);
    case "json": {
      const headers = { "Content-Type": "application/json", ...answer.headers };
      // Go's encoder ends a document with a line feed, and shells see it.
      return await sendWhole(socket, form, answer.status, headers, `${toJson(answer.value)}\n`);
    }
    case "text":
      return await sendWhole(socket, form, answer.status, answer.headers ?? {}, answer.text);
    case "error":
      return await sendError(socket, form, answer);
    case "stream":
      break;
  }
  return await sendStream(socket, form, answer, refuse);
}

async function sendWhole(
  socket: Socket,
  form: AnswerForm,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): Promise<boolean> {
  const bytes = Buffer.from(body ?? "");
  const hasLength = status !== 204 && status !== 304;
  const head = responseHead(status, {
    ...headers,
    ...(hasLength && { "Content-Length": String(bytes.length) }),
    ...(!form.keepAlive && { Connection: "close" }),
  });
  const isBare = form.method === "HEAD" || !hasLength || bytes.length === 0;
  await writeToSocket(socket, isBare ? head : Buffer.concat([Buffer.from(head, "latin1"), bytes]));
  return true;
}

async function sendError(socket: Socket, form: AnswerForm, answer: ErrorAnswer): Promise<boolean> {
  const headers = { "Content-Type": answer.contentType };
  if (!answer.close) return await sendWhole(socket, form, answer.status, headers, answer.body);
  await writeToSocket(socket, responseHead(answer.status, { ...headers, Connection: "close" }) + answer.body);
  return false;
}

async function sendStream(
  socket: Socket,
  form: AnswerForm,
  answer: StreamAnswer,
  refuse: ((fault: Fault) => ErrorAnswer) | undefined,
): Promise<boolean> {
  const pieces = answer.body[Symbol.asyncIterator]();
  const chunked = form.minor === 1;
  const head = responseHead(200, {
    "Content-Type": answer.contentType,
    ...answer.headers,
    ...(chunked && { "Transfer-Encoding": "chunked" }),
    ...(!(chunked && form.keepAlive) && { Connection: "close" }),
  });
  if (form.method === "HEAD") {
    await pieces.return?.();
    await writeToSocket(socket, head);
    return true;
  }
  let headSent = false;
  const sendHead = async (): Promise<void> => {
    headSent = true;
    await writeToSocket(socket, head);
  };
  try {
    if (answer.headAtOnce) await sendHead();
    for (let piece = await pieces.next(); piece.done !== true; piece = await pieces.next()) {
      if (!headSent) await sendHead();
      await sendPiece(socket, chunked, piece.value);
    }
    if (!headSent) await sendHead();
  } catch (error) {
    await pieces.return?.();
    const fault = asFault(error);
    if (!headSent && refuse !== undefined) return await sendError(socket, form, refuse(fault));
    // Without last words a cut connection is the only way to say that this was not all.
    if (answer.lastWords === undefined) {
      socket.destroy();
      return false;
    }
    await sendPiece(socket, chunked, answer.lastWords(fault));
  }
  if (chunked) await writeToSocket(socket, "0\r\n\r\n");
  return chunked;
}

async function sendPiece(socket: Socket, chunked: boolean, piece: Uint8Array | string): Promise<void> {
  const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
  if (bytes.length === 0) return;
  if (!chunked) return await writeToSocket(socket, bytes);
  const size = Buffer.from(`${bytes.length.toString(16)}\r\n`);
  await writeToSocket(socket, Buffer.concat([size, bytes, Buffer.from("\r\n")]));
}
