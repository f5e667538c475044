import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "#core/fault";
import { readExitRecord } from "./exit-record.ts";
import { encodeRequest, Fields, frameType, protocolVersion } from "./frame.ts";
import { connectFrames, type FrameSocket } from "./frame-socket.ts";
import { LinkChanges } from "./link-changes.ts";
import { openMonitor } from "./monitor.ts";
import { startProgram } from "./running-program.ts";
import type { Shim } from "./shim-types.ts";
import { openSlot } from "./slot.ts";

const maxCollectedBytes = 16 * 1024 * 1024;
const startLimitMs = 10_000;
const lockedStatus = 3;

/** Where the zygote listens, and the program that it is. */
export interface ShimOptions {
  /** Absolute; its folder is made if it is missing. */
  readonly socketPath: string;
  /** The built shim/ program, absolute. */
  readonly shimPath: string;
  /** Absolute path of the program that is run most, the OCI runtime: a zygote that is started here keeps it in memory. */
  readonly keptProgram?: string;
  readonly signal?: AbortSignal;
}

/** Connects to the zygote at that socket, starting it when none answers. One that speaks another version of the protocol is replaced; its monitors live on. */
export async function connectShim(options: ShimOptions): Promise<Shim> {
  await ensureZygote(options);
  return openShim(options);
}

/** Ends the zygote at that socket, if there is one; monitors live on. Resolves when it is gone. */
export async function stopZygote(socketPath: string): Promise<void> {
  await using socket = await connectFrames(socketPath);
  await socket?.send(encodeRequest(frameType.shutdown));
  await socket?.receive();
}

function openShim(options: ShimOptions): Shim {
  const connect = async (): Promise<FrameSocket> => {
    const socket = await connectFrames(options.socketPath);
    if (socket !== undefined) return socket;
    await ensureZygote(options); // somebody killed it: containers do not care, and neither should their users
    const again = await connectFrames(options.socketPath);
    if (again === undefined) throw new Fault("unavailable", `the shim at ${options.socketPath} does not answer`);
    return again;
  };
  const run: Shim["run"] = async (program, signal) => startProgram(await connect(), program, signal);
  const links = new LinkChanges(connect);
  return {
    run,
    changeLinks: async (lines, mode) => await links.apply(lines, mode === "each"),
    async runToEnd(program, signal) {
      const running = await run(program, signal);
      await using _ = running;
      const input = feed(running, program.input);
      const stdout = await collect(running.stdout, program.argv[0] ?? "");
      await input;
      return { ...(await running.ended), stdout, stderr: running.stderr() };
    },
    prepareMonitor: async (namespaces) => openSlot(await connect(), namespaces),
    openMonitor,
    readExitRecord,
    async [Symbol.asyncDispose]() {
      // Every other operation has its own connection, and the zygote outlives us.
      links.close();
    },
  };
}

/** A program that does not read all of its input is no failure. */
async function feed(running: Awaited<ReturnType<Shim["run"]>>, input: string | Uint8Array | undefined): Promise<void> {
  try {
    if (input !== undefined) await running.write(typeof input === "string" ? Buffer.from(input) : input);
    await running.end();
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== "unavailable") throw error;
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>, name: string): Promise<Uint8Array> {
  const collected: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxCollectedBytes) throw new Fault("tooLarge", `${name} wrote more than ${maxCollectedBytes} bytes`);
    collected.push(chunk);
  }
  return Buffer.concat(collected);
}

async function ensureZygote(options: ShimOptions): Promise<void> {
  const deadline = performance.now() + startLimitMs;
  await mkdir(dirname(options.socketPath), { recursive: true, mode: 0o711 });
  for (let attempt = 0; ; attempt++) {
    options.signal?.throwIfAborted();
    const version = await versionAt(options.socketPath);
    if (version === protocolVersion) return;
    if (version !== undefined) await stopZygote(options.socketPath);
    // Another daemon may be starting one at this moment: it holds the lock, and its zygote serves both.
    const status = await startZygote(options);
    if (status !== 0 && status !== lockedStatus)
      throw new Fault("unavailable", `${options.shimPath} ended with status ${status}`, {
        remedy: "Build the shim: shim/build.sh",
      });
    if (performance.now() > deadline)
      throw new Fault("unavailable", `no shim could be started at ${options.socketPath}`);
    if (attempt > 0)
      await sleep(Math.min(5 * attempt, 100), undefined, options.signal ? { signal: options.signal } : {});
  }
}

/** The protocol version of the zygote that answers there; 0 for an answer that is none. */
async function versionAt(socketPath: string): Promise<number | undefined> {
  await using socket = await connectFrames(socketPath);
  if (socket === undefined) return undefined;
  try {
    await socket.send(encodeRequest(frameType.ping));
    const answer = await socket.receive();
    return answer?.type === frameType.pong ? (new Fields(answer.payload).number("version") ?? 0) : undefined;
  } catch {
    return undefined;
  }
}

/** The one place where the daemon itself starts a process. The status of the foreground, which ends when the zygote listens. */
async function startZygote(options: ShimOptions): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const keep = options.keptProgram === undefined ? [] : ["--keep", options.keptProgram];
  const child = spawn(options.shimPath, ["zygote", "--socket", options.socketPath, ...keep], {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
    cwd: "/",
  });
  const words: Uint8Array[] = [];
  child.stderr.on("data", (chunk: Uint8Array) => words.push(chunk));
  child.once("error", (error) =>
    reject(new Fault("unavailable", `cannot start ${options.shimPath}: ${error.message}`, { cause: error })),
  );
  child.once("close", (code) => {
    const text = Buffer.concat(words).toString().trim();
    if (code === 1 && text !== "") reject(new Fault("unavailable", text));
    else resolve(code ?? -1);
  });
  return promise;
}
