import type { WaitAnswer } from "#api/client";
import { parseDetachKeys } from "./detach-keys.ts";
import { proxySignals } from "./signals.ts";
import { carryStreams } from "./streaming.ts";
import { type Surroundings, write } from "./surroundings.ts";
import { followSize } from "./terminal.ts";

export interface StartOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
  readonly detachKeys: string;
  /** Whether signals that we get go to the container. */
  readonly proxySignals: boolean;
  readonly autoRemove: boolean;
}

/**
 * Attach, wait, start, in this order, so that no output and no quick exit is missed; then carries the streams. Answers the
 * container's exit code, 0 when the person detached. Throws what the start was refused with.
 */
export async function attachAndStart(around: Surroundings, id: string, options: StartOptions): Promise<number> {
  const { containers } = await around.client();
  const detachKeys = parseDetachKeys(options.detachKeys);
  using _proxy = options.proxySignals ? proxySignals((name) => containers.kill(id, name)) : undefined;
  const connection = await containers.attach(id, {
    stdin: options.stdin,
    stdout: options.stdout,
    stderr: options.stderr,
    tty: options.tty,
    ...(options.detachKeys !== "" && { detachKeys: options.detachKeys }),
  });
  const sizing = new AbortController();
  try {
    const { result } = await containers.wait(id, options.autoRemove ? "removed" : "next-exit");
    // The streams are read from now on: output can be there before `start` answers.
    const session = carryStreams(around, connection, { ...options, detachKeys });
    session.catch(() => undefined); // looked at below
    try {
      await containers.start(id);
    } catch (error) {
      connection.close();
      await session.catch(() => undefined);
      if (options.autoRemove) await result.catch(() => undefined);
      throw error;
    }
    if (options.tty) void followSize(around, (size) => containers.resize(id, size), sizing.signal);
    if ((await session) === "detached") {
      await write(around.stderr, "read escape sequence\n");
      return 0;
    }
    return exitCodeOf(await result);
  } finally {
    sizing.abort();
    connection.close();
  }
}

function exitCodeOf(answer: WaitAnswer): number {
  if (answer.Error !== undefined && answer.Error !== null) throw new Error(answer.Error.Message);
  return answer.StatusCode;
}
