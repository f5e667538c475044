import { encodeFrame } from "#api/wire";
import type { Session } from "#containers";
import type { RawStream } from "./http/raw-stream.ts";

/** Content type of a stream whose frames name the stream of each piece. */
export const multiplexedType = "application/vnd.docker.multiplexed-stream";
/** Content type of a plain byte stream; clients before API 1.42 get frames under this name too. */
export const rawType = "application/vnd.docker.raw-stream";

/** Joins a container's (or exec's) session with a client's connection until its output ends or the client is gone. Disposes the session. */
export async function joinSession(stream: RawStream, session: Session, framed: boolean): Promise<void> {
  const detach = (): void => void Promise.resolve(session[Symbol.asyncDispose]()).catch(() => undefined);
  stream.signal.addEventListener("abort", detach, { once: true });
  if (stream.signal.aborted) detach();
  // Input runs beside the output and ends with the connection; what goes wrong there shows in the output's end.
  void pumpInput(stream, session).catch(() => undefined);
  try {
    for await (const item of session.output) {
      const bytes = item.stream === "systemerr" ? Buffer.from(item.text) : item.bytes;
      await stream.write(framed ? encodeFrame(item.stream, bytes) : bytes);
    }
  } finally {
    stream.signal.removeEventListener("abort", detach);
    await session[Symbol.asyncDispose]();
  }
}

async function pumpInput(stream: RawStream, session: Session): Promise<void> {
  for await (const bytes of stream.input) await session.write(bytes);
  if (!stream.signal.aborted) await session.endInput();
}
