/** The door of what the resolver's process runs. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Log } from "#core/log";
import { openAnswers } from "./answer-queries.ts";
import { maxControlLineBytes, openControlSession } from "./control.ts";
import { openHostResolvers } from "./host-resolvers.ts";
import { JsonLines } from "./json-lines.ts";
import { NamesPicture } from "./names-view.ts";
import { QueryConnection } from "./query-connection.ts";
import { Turns } from "./turns.ts";

/** Where the resolver serves, and for how long. */
export interface ServeOptions {
  /** Exists, is this process' alone, and is its to serve. */
  readonly folder: string;
  /** The host's resolv.conf. */
  readonly resolvConf: string;
  /** It ends when no daemon has come to it for so long. */
  readonly idleMs: number;
  readonly log: Log;
}

const maxConnections = 65_536;
const lookMs = 5000;

/** Serves `queries.sock` and `control.sock` in the folder until the signal, or until no daemon is there and no container has a name; resolves when they are gone. */
export async function serveNames(options: ServeOptions, signal: AbortSignal): Promise<void> {
  const current = { picture: new NamesPicture() };
  using hostResolvers = openHostResolvers(options.resolvConf);
  const unexpected = (error: unknown): void =>
    options.log.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const answer = openAnswers(current, hostResolvers, unexpected);
  const turns = new Turns();
  const sockets = new Set<Socket>();
  const idle = new Idle(options.idleMs);
  const onConnection = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  };
  const queries = createServer((socket) => void new QueryConnection(socket, turns, answer));
  let daemons = 0;
  const control = createServer((socket) => {
    daemons += 1;
    idle.stop();
    serveControl(socket, current, options.log);
    socket.on("close", () => {
      daemons -= 1;
      // Of its containers those that run on still ask, also without it.
      if (daemons === 0 && current.picture.size === 0) idle.end();
    });
  });
  await using undo = new AsyncDisposableStack();
  undo.defer(() => idle[Symbol.dispose]());
  for (const [name, server] of Object.entries({ "queries.sock": queries, "control.sock": control })) {
    server.on("connection", onConnection);
    await listen(server, join(options.folder, name), unexpected);
    undo.defer(async () => await close(server, sockets));
  }
  const looking = setInterval(() => {
    if (!existsSync(join(options.folder, "control.sock"))) idle.end(); // nobody can come any more
  }, lookMs);
  undo.defer(() => clearInterval(looking));
  await Promise.race([idle.passed, aborted(signal)]);
}

function serveControl(socket: Socket, current: { picture: NamesPicture }, log: Log): void {
  const lines = new JsonLines(maxControlLineBytes);
  const session = openControlSession(current);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const answers: string[] = [];
    try {
      for (const line of lines.push(chunk)) {
        const answer = session(line);
        if (answer?.fault !== undefined) log.warn("a line of the daemon was refused", { fault: answer.fault });
        if (answer !== undefined) answers.push(`${JSON.stringify(answer)}\n`);
      }
      if (answers.length > 0) socket.write(answers.join(""));
    } catch (error) {
      log.error("the daemon's connection is closed", { fault: String(error) });
      socket.destroy();
    }
  });
}

/** Takes the place of a socket that a killed process left; the caller has made sure that it is nobody's. */
async function listen(server: Server, path: string, onError: (error: unknown) => void): Promise<void> {
  await rm(path, { force: true });
  server.maxConnections = maxConnections;
  const before = process.umask(0o177);
  try {
    server.listen(path);
    await once(server, "listening");
  } finally {
    process.umask(before);
  }
  server.on("error", onError);
}

async function close(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = once(server, "close");
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}

/** Tells when nobody needs this process: no daemon came, or the last one left no names. */
class Idle implements Disposable {
  readonly #passed = Promise.withResolvers<void>();
  readonly #timer: NodeJS.Timeout;

  constructor(afterMs: number) {
    this.#timer = setTimeout(() => this.end(), afterMs);
  }

  get passed(): Promise<void> {
    return this.#passed.promise;
  }

  /** Somebody came. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    this.#passed.resolve();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

export { openBoundedFile } from "./bounded-file.ts";
