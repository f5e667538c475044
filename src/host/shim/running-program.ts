import { Fault } from "#core/fault";
import { decodeOutput, encodeFrame, encodeRequest, Fields, type Frame, frameType } from "./frame.ts";
import type { FrameSocket } from "./frame-socket.ts";
import { Handover } from "./handover.ts";
import { encodeMounts } from "./mount-plan.ts";
import type { Program, ProgramEnd, RunningProgram } from "./shim-types.ts";

const noSuchFile = 2; // ENOENT
const notFolder = 20; // ENOTDIR
const noSuchProcess = 3; // ESRCH
const noSuchCall = 38; // ENOSYS
const keptErrorBytes = 65_536;
const standardEnvironment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };

/** Runs a program on a fresh connection to the zygote. The signal kills it. */
export async function startProgram(
  socket: FrameSocket,
  program: Program,
  signal?: AbortSignal,
): Promise<RunningProgram> {
  const stop = (): void => socket.close();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    signal?.throwIfAborted();
    await socket.send(encodeProgram(program));
    const answer = await socket.receive();
    if (answer === undefined) throw signal?.aborted ? signal.reason : new Fault("unavailable", "the shim went away");
    if (answer.type === frameType.failed) throw programFault(program, answer);
    const running = new ShimProgram(socket, signal);
    running.ended.finally(() => signal?.removeEventListener("abort", stop)).catch(() => undefined);
    return running;
  } catch (error) {
    signal?.removeEventListener("abort", stop);
    socket.close();
    throw error;
  }
}

class ShimProgram implements RunningProgram {
  readonly ended: Promise<ProgramEnd>;
  readonly #socket: FrameSocket;
  readonly #stdout = new Handover<Uint8Array>();
  #stderr: Uint8Array[] = [];
  #stderrBytes = 0;

  constructor(socket: FrameSocket, signal: AbortSignal | undefined) {
    this.#socket = socket;
    this.ended = this.#pump(signal);
    this.ended.catch(() => undefined); // whoever awaits it still sees the rejection
  }

  get stdout(): AsyncIterable<Uint8Array> {
    return this.#stdout;
  }

  stderr(): string {
    return Buffer.concat(this.#stderr).toString();
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#socket.sendInput(bytes);
  }

  async end(): Promise<void> {
    await this.#socket.send(encodeFrame(frameType.stdinEof));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stdout.abandon();
    this.#socket.close();
    await this.ended.catch(() => undefined);
  }

  async #pump(signal: AbortSignal | undefined): Promise<ProgramEnd> {
    try {
      for (;;) {
        const frame = await this.#socket.receive();
        if (frame === undefined) throw lost(signal);
        if (frame.type === frameType.stdout) await this.#stdout.put(decodeOutput(frame.payload).bytes);
        if (frame.type === frameType.stderr) this.#keepError(decodeOutput(frame.payload).bytes);
        if (frame.type === frameType.exit) {
          this.#stdout.finish();
          return programEnd(frame);
        }
      }
    } catch (error) {
      this.#stdout.finish(error);
      throw error;
    } finally {
      this.#socket.close();
    }
  }

  /** The end of what a program complains is what counts. */
  #keepError(bytes: Uint8Array): void {
    this.#stderr.push(bytes);
    this.#stderrBytes += bytes.length;
    if (this.#stderrBytes <= 2 * keptErrorBytes && this.#stderr.length < 1024) return;
    this.#stderr = [Buffer.concat(this.#stderr).subarray(-keptErrorBytes)];
    this.#stderrBytes = this.#stderr[0]?.length ?? 0;
  }
}

function encodeProgram(program: Program): Uint8Array {
  const env = { ...standardEnvironment, ...program.env };
  return encodeRequest(frameType.run, {
    argv: program.argv,
    env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    cwd: program.cwd,
    timeLimitMs: program.timeLimitMs,
    stdinPath: program.stdinPath,
    stdoutPath: program.stdoutPath,
    mount: encodeMounts(program.mounts ?? []),
    tree: program.tree,
    treeFolder: program.treeFolder,
    netns: program.netns,
    builtin: program.builtin,
  });
}

function programEnd(frame: Frame): ProgramEnd {
  const fields = new Fields(frame.payload);
  const signal = fields.number("signal") ?? 0;
  return {
    code: fields.number("code") ?? null,
    signal: signal === 0 ? null : signal,
    timedOut: fields.number("timedOut") === 1,
  };
}

function programFault(program: Program, frame: Frame): Fault {
  const fields = new Fields(frame.payload);
  const text = fields.text("text");
  const stage = fields.text("stage");
  const isAbsent = fields.number("errno") === noSuchFile || fields.number("errno") === notFolder;
  if (isAbsent && stage === "folder") return new Fault("notFound", text);
  if (isAbsent && stage === "exec")
    return new Fault("notFound", `${program.argv[0]}: no such program`, {
      remedy: `Install the package that has ${program.argv[0]}.`,
    });
  if (stage === "mount" && fields.number("errno") === noSuchProcess)
    return new Fault("notFound", "the container's process is gone");
  if (stage === "mount" && fields.number("errno") === noSuchCall)
    return new Fault("unsupported", "this kernel cannot show the mounts of a running container: Linux 5.12 can", {
      remedy: "Stop the container first.",
    });
  return new Fault("internal", `cannot run ${program.builtin ?? program.argv[0]}: ${text}`);
}

function lost(signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return new Fault("cancelled", "cancelled", { cause: signal.reason });
  return new Fault("unavailable", "the program's keeper went away");
}
