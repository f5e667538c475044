import { join } from "node:path";
import { Fault } from "#core/fault";
import { attachmentOver } from "./attachment.ts";
import { ShimExecSession } from "./exec-session.ts";
import { exitFactsOf, readExitRecord } from "./exit-record.ts";
import { encodeRequest, type FieldName, Fields, type FieldValue, type Frame, frameType } from "./frame.ts";
import { connectFrames, type FrameSocket } from "./frame-socket.ts";
import { portWords } from "./port-words.ts";
import type {
  AttachRequest,
  Attachment,
  ExecSession,
  ExecStart,
  ExitFacts,
  HeldPort,
  Monitor,
  MonitorStatus,
  TerminalSize,
} from "./shim-types.ts";

const noSuchProcess = 3; // ESRCH
const oomKeptMost = 16;
const warningsKeptMost = 16;

/** A container's monitor, by its socket; `watcher` is the connection on which its end is told. */
export class ShimMonitor implements Monitor {
  readonly exited: Promise<ExitFacts>;
  readonly gone: Promise<void>;
  readonly #dir: string;
  readonly #pid: number;
  readonly #watcher: FrameSocket;
  readonly #exited = Promise.withResolvers<ExitFacts>();
  readonly #gone = Promise.withResolvers<void>();
  #oomListener: ((killed: boolean, timeNs: bigint) => void) | undefined;
  /** What came before there was a listener. */
  readonly #oomBefore: { readonly killed: boolean; readonly timeNs: bigint }[] = [];
  #warningListener: ((text: string) => void) | undefined;
  /** What came before there was a listener. */
  readonly #warningsBefore: string[] = [];
  #consoles = 0;
  #disposed = false;

  /** `pid` is the monitor's own. */
  constructor(dir: string, pid: number, watcher: FrameSocket) {
    this.#dir = dir;
    this.#pid = pid;
    this.#watcher = watcher;
    this.exited = this.#exited.promise;
    this.gone = this.#gone.promise;
    this.exited.catch(() => undefined); // whoever awaits it still sees the rejection
  }

  /** Begins to listen for the container's end. */
  watch(): void {
    void this.#watch();
  }

  onOutOfMemory(listener: (killed: boolean, timeNs: bigint) => void): void {
    this.#oomListener = listener;
    for (const { killed, timeNs } of this.#oomBefore.splice(0)) listener(killed, timeNs);
  }

  onWarning(listener: (text: string) => void): void {
    this.#warningListener = listener;
    for (const text of this.#warningsBefore.splice(0)) listener(text);
  }

  async attach(request: AttachRequest): Promise<Attachment> {
    const from = request.from === "now" ? {} : { segment: request.from.segment, offset: request.from.offset };
    const socket = await this.#connect();
    await this.#expectOk(socket, frameType.attach, {
      streams: (request.streams.includes("stdout") ? 1 : 0) | (request.streams.includes("stderr") ? 2 : 0),
      stdinOpen: request.stdin,
      throttle: request.throttle,
      ...from,
    });
    return attachmentOver(socket);
  }

  async exec(start: ExecStart): Promise<ExecSession> {
    const socket = await this.#connect();
    try {
      const console = `exec-${process.pid}-${++this.#consoles}.tty`;
      await socket.send(
        encodeRequest(frameType.exec, {
          runtimeArgv: start.tty ? withConsole(start.runtimeArgv, this.#pid, console) : start.runtimeArgv,
          pidFile: start.pidFile,
          tty: start.tty,
          console,
          rows: start.size?.rows,
          columns: start.size?.columns,
          stdinOpen: start.stdin,
          discard: start.discardOutput,
          givesShim: start.givesShim,
        }),
      );
      const fields = answerOf(await socket.receive(), frameType.started, execFault);
      const pid = fields.number("pid") ?? 0;
      return new ShimExecSession(socket, pid, {
        tty: start.tty,
        resize: (size) => this.#ask(frameType.resize, { ...size, pid }),
        kill: () => this.#ask(frameType.killExec, { pid }),
      });
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  async resize(size: TerminalSize): Promise<void> {
    await this.#ask(frameType.resize, { ...size });
  }

  async signal(signal: number): Promise<void> {
    await this.#ask(frameType.signal, { signal });
  }

  async closeStdin(): Promise<void> {
    await this.#ask(frameType.closeStdin);
  }

  async leadPorts(ports: readonly HeldPort[]): Promise<void> {
    await this.#ask(frameType.ports, { port: ports.map(portWords) });
  }

  async rotateLog(): Promise<void> {
    await this.#ask(frameType.rotate);
  }

  async status(): Promise<MonitorStatus> {
    await using socket = await this.#connect();
    await socket.send(encodeRequest(frameType.status));
    const fields = answerOf(await socket.receive(), frameType.state, monitorFault);
    const state = fields.text("state");
    if (state !== "running" && state !== "exited") return { state: "starting" };
    const facts = { pid: fields.number("pid") ?? 0, startedNs: fields.bigint("startedNs") ?? 0n };
    if (state === "running") return { state, ...facts, oomKilled: fields.number("oom") === 1 };
    return { state, ...facts, exit: exitFactsOf(fields) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#watcher.close();
  }

  async #watch(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#watcher.receive();
        if (frame === undefined) break;
        if (frame.type === frameType.oom) this.#tellOom(new Fields(frame.payload));
        if (frame.type === frameType.warning) this.#tellWarning(new Fields(frame.payload).text("text"));
        if (frame.type === frameType.exit) this.#exited.resolve(exitFactsOf(new Fields(frame.payload)));
        if (frame.type === frameType.deleted) break;
      }
      // Disposed by the daemon: the container lives on, and nobody here may hear otherwise.
      if (this.#disposed) return;
      const record = await readExitRecord(this.#dir);
      if (record !== undefined) this.#exited.resolve(record);
    } catch (error) {
      this.#exited.reject(error);
    } finally {
      this.#watcher.close();
      this.#exited.reject(
        new Fault("unavailable", "the container's monitor went away without saying how the container ended"),
      );
      this.#gone.resolve();
    }
  }

  #tellOom(fields: Fields): void {
    const killed = fields.number("oom") === 1;
    const timeNs = fields.bigint("timeNs") ?? 0n;
    if (this.#oomListener !== undefined) this.#oomListener(killed, timeNs);
    else if (this.#oomBefore.length < oomKeptMost) this.#oomBefore.push({ killed, timeNs });
  }

  #tellWarning(text: string): void {
    if (this.#warningListener !== undefined) this.#warningListener(text);
    else if (this.#warningsBefore.length < warningsKeptMost) this.#warningsBefore.push(text);
  }

  async #connect(): Promise<FrameSocket> {
    const socket = await connectFrames(join(this.#dir, "monitor.sock"));
    if (socket === undefined) throw new Fault("unavailable", "the container's monitor does not answer");
    return socket;
  }

  async #ask(type: number, fields: Readonly<Partial<Record<FieldName, FieldValue>>> = {}): Promise<void> {
    await using socket = await this.#connect();
    await this.#expectOk(socket, type, fields);
  }

  async #expectOk(
    socket: FrameSocket,
    type: number,
    fields: Readonly<Partial<Record<FieldName, FieldValue>>>,
  ): Promise<void> {
    try {
      await socket.send(encodeRequest(type, fields));
      answerOf(await socket.receive(), frameType.ok, monitorFault);
    } catch (error) {
      socket.close();
      throw error;
    }
  }
}

/** The monitor that listens in that folder; undefined when there is none. */
export async function openMonitor(dir: string): Promise<Monitor | undefined> {
  const watcher = await connectFrames(join(dir, "monitor.sock"));
  if (watcher === undefined) return undefined;
  try {
    await watcher.send(encodeRequest(frameType.watch));
    const answer = await watcher.receive();
    if (answer === undefined) {
      watcher.close();
      return undefined; // it was about to go
    }
    const pid = answerOf(answer, frameType.ok, monitorFault).number("pid") ?? 0;
    const monitor = new ShimMonitor(dir, pid, watcher);
    monitor.watch();
    return monitor;
  } catch (error) {
    watcher.close();
    throw error;
  }
}

/** The runtime's arguments with a console socket, which is a file in the monitor's working folder; options come before the id, which is last. */
export function withConsole(argv: readonly string[], monitorPid: number, name: string): string[] {
  return [...argv.slice(0, -1), "--console-socket", `/proc/${monitorPid}/cwd/${name}`, ...argv.slice(-1)];
}

/** The fields of the expected answer; anything else becomes a Fault. */
function answerOf(frame: Frame | undefined, type: number, faultOf: (fields: Fields) => Fault): Fields {
  if (frame === undefined) throw new Fault("unavailable", "the container's monitor went away");
  const fields = new Fields(frame.payload);
  if (frame.type === type) return fields;
  if (frame.type === frameType.failed) throw faultOf(fields);
  throw new Fault("internal", `the container's monitor answered with frame ${frame.type}`);
}

function monitorFault(fields: Fields): Fault {
  const text = fields.text("text");
  if (fields.number("errno") === noSuchProcess) return new Fault("conflict", "the process is not running");
  return new Fault(fields.text("stage") === "request" ? "invalid" : "internal", text);
}

/** The runtime's own words; what it could not find is `notFound`. */
function execFault(fields: Fields): Fault {
  if (fields.text("stage") !== "runtime") return monitorFault(fields);
  const text = fields.text("text");
  if (fields.number("status") === undefined) return new Fault("internal", text);
  return new Fault(/not found|no such file/i.test(text) ? "notFound" : "invalid", text);
}
