import type { Connection, OutputPiece } from "#api/client";
import { DetachScanner } from "#core/detach-keys";
import { type Surroundings, write } from "./surroundings.ts";
import { enterRawMode } from "./terminal.ts";

/** How a session with a container's streams ended. */
export type SessionEnd = "ended" | "detached";

export interface SessionOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
  /** Watched for on a terminal only. */
  readonly detachKeys: Uint8Array;
}

/**
 * Carries the person's streams to the container's and back until the output ends or the detach keys are typed. The end of our
 * input closes only that direction. Restores the terminal.
 */
export async function carryStreams(
  around: Surroundings,
  connection: Connection,
  options: SessionOptions,
): Promise<SessionEnd> {
  using _raw = options.stdin && options.tty ? enterRawMode(around) : undefined;
  const stop = new AbortController();
  const input = options.stdin ? carryInput(around, connection, options, stop.signal) : undefined;
  try {
    if (!options.stdout && !options.stderr) return (await input) ?? "ended";
    const output = writeOutput(around, connection.output).then((): SessionEnd => "ended");
    return await (input === undefined ? output : Promise.race([output, untilDetached(input)]));
  } finally {
    stop.abort();
    connection.close();
  }
}

/** Writes pieces of output where they belong, at the pace of the reader. Throws an Error with the engine's words if it reports a failure. */
export async function writeOutput(around: Surroundings, output: AsyncIterable<OutputPiece>): Promise<void> {
  for await (const { bytes, stream } of output) {
    if (stream === "systemerr") throw new Error(`error from daemon in stream: ${Buffer.from(bytes).toString()}`);
    await write(stream === "stderr" ? around.stderr : around.stdout, bytes);
  }
}

async function carryInput(
  around: Surroundings,
  connection: Connection,
  options: SessionOptions,
  signal: AbortSignal,
): Promise<SessionEnd> {
  const scanner = options.tty ? new DetachScanner(options.detachKeys) : undefined;
  const { stdin } = around;
  try {
    for await (const chunk of stdin.iterator({ destroyOnReturn: false, signal } as { destroyOnReturn: boolean })) {
      if (signal.aborted) return "ended";
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Uint8Array);
      const { detached, pass: send } = scanner?.scan(bytes) ?? { pass: bytes, detached: false };
      if (send.length > 0) await connection.write(send);
      if (detached) return "detached";
    }
    connection.endInput();
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stdin.pause();
  }
  return "ended";
}

/** Settles only when the person detached: input that merely ended leaves the output running. */
async function untilDetached(input: Promise<SessionEnd>): Promise<SessionEnd> {
  const end = await input;
  return end === "detached" ? end : new Promise(() => undefined);
}
