import type { Client } from "#api/client";
import type { ReadStream, WriteStream } from "node:tty";
import type { UserConfig } from "./user-config.ts";

/** What a command sees of the world; tests hand in their own. */
export interface Surroundings {
  readonly stdin: NodeJS.ReadStream | ReadStream;
  readonly stdout: NodeJS.WriteStream | WriteStream;
  readonly stderr: NodeJS.WriteStream | WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The engine's client; the first call connects, and starts a daemon where that is wanted. */
  client(): Promise<Client>;
  /** Docker's config.json of this user; read at the first call. */
  userConfig(): Promise<UserConfig>;
  /** Where the engine is, as it was given. */
  readonly host: string;
  /** `-D`: say more when something fails. */
  readonly debug: boolean;
}

/** Writes a line of output; resolves when the stream took it, so that a slow reader is waited for. */
export async function print(around: Surroundings, line: string): Promise<void> {
  await write(around.stdout, `${line}\n`);
}

/** Writes to a stream and waits while it is full. A reader that went away ends the program quietly, as in any filter. */
export async function write(stream: NodeJS.WritableStream, data: string | Uint8Array): Promise<void> {
  if (data.length === 0 || stream.write(data)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
  });
}
