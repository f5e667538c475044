import { Fault } from "#core/fault";
import { encodeFrame, encodeRequest, Fields, type Frame, frameType } from "./frame.ts";
import type { FrameSocket } from "./frame-socket.ts";
import { ShimMonitor, withConsole } from "./monitor.ts";
import { encodeMounts, mapLines } from "./mount-plan.ts";
import { portRefusal, portWords } from "./port-words.ts";
import {
  type HeldPort,
  type Monitor,
  type MonitorSlot,
  type MonitorStart,
  type PortRefusal,
  type SlotNamespaces,
  StartFailure,
  type UserNamespace,
} from "./shim-types.ts";

const consoleName = "init.tty";

/** Forks a monitor on a fresh connection to the zygote; it waits for its container. */
export async function openSlot(socket: FrameSocket, namespaces: SlotNamespaces): Promise<MonitorSlot> {
  try {
    await socket.send(encodeRequest(frameType.monitor, { ...namespaces }));
    const fields = expect(await socket.receive(), frameType.ready);
    return new ShimSlot(socket, fields.number("pid") ?? 0);
  } catch (error) {
    socket.close();
    if (error instanceof StartFailure)
      throw new Fault("internal", `cannot prepare a monitor: ${error.message}`, { cause: error });
    throw error;
  }
}

class ShimSlot implements MonitorSlot {
  readonly pid: number;
  readonly #socket: FrameSocket;
  #started = false;

  constructor(socket: FrameSocket, pid: number) {
    this.#socket = socket;
    this.pid = pid;
  }

  async holdPorts(ports: readonly HeldPort[]): Promise<PortRefusal | undefined> {
    await this.#socket.send(encodeRequest(frameType.ports, { port: ports.map(portWords) }));
    const answer = await this.#socket.receive();
    if (answer === undefined) throw new Fault("unavailable", "the container's monitor went away");
    const refusal = portRefusal(answer);
    if (refusal === undefined) expect(answer, frameType.ok);
    return refusal;
  }

  async start(start: MonitorStart, beforeRun?: (monitor: Monitor) => Promise<void>): ReturnType<MonitorSlot["start"]> {
    const monitor = new ShimMonitor(start.dir, this.pid, this.#socket);
    try {
      await this.#socket.send(encodeStart(start, this.pid, beforeRun !== undefined));
      expect(await this.#socket.receive(), frameType.prepared);
      if (beforeRun !== undefined) {
        await beforeRun(monitor);
        await this.#socket.send(encodeFrame(frameType.go));
      }
      const fields = expect(await this.#socket.receive(), frameType.started);
      this.#started = true;
      monitor.watch();
      return { monitor, pid: fields.number("pid") ?? 0, startedNs: fields.bigint("timeNs") ?? 0n };
    } catch (error) {
      this.#socket.close();
      if (error instanceof Fault && error.kind === "unavailable") throw new StartFailure("lost", null, error.message);
      throw error;
    }
  }

  /** After a start the connection belongs to the monitor. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#started) this.#socket.close();
  }
}

function encodeStart(start: MonitorStart, pid: number, hold: boolean): Uint8Array {
  return encodeRequest(frameType.start, {
    id: start.id,
    dir: start.dir,
    logDir: start.log.dir,
    logMaxBytes: start.log.maxSizeBytes,
    logMaxFiles: start.log.maxFiles,
    logMemory: start.log.inMemory,
    tty: start.tty,
    rows: start.size?.rows,
    columns: start.size?.columns,
    stdinOpen: start.stdinOpen,
    stdinOnce: start.stdinOnce,
    mount: encodeMounts(start.mounts),
    ...userNamespaceFields(start.userNamespace),
    runtimeArgv: start.tty ? withConsole(start.runtimeArgv, pid, consoleName) : start.runtimeArgv,
    timeLimitMs: start.timeLimitMs,
    deleteArgv: start.deleteArgv,
    pidFile: start.pidFile,
    console: consoleName,
    oomFile: start.oomFile,
    names: start.names,
    hold,
  });
}

function userNamespaceFields(namespace: UserNamespace | undefined): {
  uidMap?: string;
  gidMap?: string;
  userns?: string;
} {
  if (namespace === undefined) return {};
  if (namespace.kind === "shared") return { userns: namespace.path };
  return { uidMap: mapLines(namespace.mapping.uids), gidMap: mapLines(namespace.mapping.gids) };
}

function expect(frame: Frame | undefined, type: number): Fields {
  if (frame === undefined) throw new StartFailure("lost", null, "the container's monitor went away");
  const fields = new Fields(frame.payload);
  if (frame.type === type) return fields;
  if (frame.type !== frameType.failed)
    throw new StartFailure("lost", null, `unexpected frame ${frame.type} from the monitor`);
  throw new StartFailure(stageOf(fields.text("stage")), fields.number("status") ?? null, fields.text("text"));
}

function stageOf(text: string): StartFailure["stage"] {
  if (text === "folder") return "path";
  return text === "mount" || text === "log" || text === "network" || text === "runtime" ? text : "spawn";
}
