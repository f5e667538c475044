import { writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ExecSession } from "#host";
import { Fault } from "#core/fault";
import { newId } from "#core/ids";
import { announcePassing } from "../announce.ts";
import { type HealthTimes, healthTimes } from "../config/healthcheck.ts";
import type { HealthResult } from "../containers.ts";
import type { Room } from "../room.ts";
import { processDocument } from "../streams/exec.ts";
import type { ContainerRecord } from "../store.ts";
import { execFailure, readRuntimeWords } from "./failure.ts";
import { foldersOf } from "./folders.ts";
import { runtimeArgv } from "./runtime.ts";

/** Runs the health check of one run of a container, one probe at a time. */
export class Probe {
  readonly #room: Room;
  readonly #record: ContainerRecord;
  readonly #command: readonly string[];
  readonly #times: HealthTimes;
  /** The process document is the same for each probe of a run: it is written once. */
  #isWritten = false;

  constructor(room: Room, record: ContainerRecord, command: readonly string[]) {
    this.#room = room;
    this.#record = record;
    this.#command = command;
    this.#times = healthTimes(record.process.healthcheck ?? {});
  }

  /** The result of one probe; −1 with the reason when it could not run or not end in time. The signal kills it. */
  async run(signal: AbortSignal): Promise<HealthResult> {
    const startedNs = this.#room.clock.now();
    const end = await this.#probe(signal).catch((error: unknown) => ({
      exitCode: -1,
      output: error instanceof Error ? error.message : String(error),
    }));
    return { startedNs, endedNs: this.#room.clock.now(), ...end };
  }

  async #probe(signal: AbortSignal): Promise<Pick<HealthResult, "exitCode" | "output">> {
    const execId = newId();
    const words = this.#command.join(" ");
    announcePassing(this.#room, this.#record, `exec_create: ${words}`, { execID: execId });
    const session = await this.#started(signal);
    await using _ = session;
    announcePassing(this.#room, this.#record, `exec_start: ${words}`, { execID: execId });
    const kill = (): void => void session.kill().catch(this.#room.onUnexpected);
    signal.addEventListener("abort", kill, { once: true });
    if (signal.aborted) kill();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      kill();
    }, this.#times.timeoutMs);
    try {
      const output = await readOutput(session);
      const { code, signal: number } = await session.ended;
      const exitCode = code ?? 128 + (number ?? 0);
      announcePassing(this.#room, this.#record, "exec_die", { execID: execId, exitCode: String(exitCode) });
      if (!isLate) return { exitCode, output };
      const late = `Health check exceeded timeout (${goDuration(this.#times.timeoutMs)})`;
      return { exitCode: -1, output: output === "" ? late : `${late}: ${output}` };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", kill);
    }
  }

  /** Starts it, few containers' at once. The time that takes is not the check's own: only a runtime that hangs is given up. */
  async #started(signal: AbortSignal): Promise<ExecSession> {
    const starting = this.#room.probeStarts.pass(async () => {
      signal.throwIfAborted();
      return await this.#start();
    });
    const hangs = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      void starting.then(async (late) => await late.kill()).catch(() => undefined);
      hangs.reject(new Fault("internal", `timed out starting health check for container ${this.#record.id}`));
    }, startLimitMs);
    try {
      return await Promise.race([starting, hangs.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #start(): Promise<ExecSession> {
    const { bundle } = foldersOf(this.#room.host.paths, this.#record.id);
    const [document = "", pidFile = "", log = ""] = ["json", "pid", "log"].map((end) => join(bundle, `health.${end}`));
    const live = this.#room.live.get(this.#record.id);
    if (live === undefined) throw new Fault("conflict", `container ${this.#record.id} is not running`);
    if (!this.#isWritten) writeFileSync(document, JSON.stringify(await this.#document()), { mode: 0o600 });
    this.#isWritten = true;
    try {
      return await live.monitor.exec({
        runtimeArgv: runtimeArgv(this.#room, this.#record, log, [
          "exec",
          "--process",
          document,
          "--detach",
          "--pid-file",
          pidFile,
          this.#record.id,
        ]),
        pidFile,
        tty: false,
        stdin: false,
        discardOutput: false,
      });
    } catch (error) {
      const { fault } = execFailure(error, await readRuntimeWords(log), this.#command);
      await rm(log, { force: true });
      throw fault;
    }
  }

  async #document(): ReturnType<typeof processDocument> {
    const spec = {
      command: this.#command,
      tty: false,
      attach: { stdin: false, stdout: true, stderr: true },
      env: [],
      user: "",
      workingDir: "",
      privileged: false,
    };
    return await processDocument(this.#room, this.#record, spec, undefined);
  }
}

/** The first bytes of both streams as they came; what follows is read and dropped. */
async function readOutput(session: ExecSession): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of session.output) {
    if (bytes <= mostOutputBytes) pieces.push(chunk.bytes);
    bytes += chunk.bytes.length;
  }
  const text = Buffer.concat(pieces).subarray(0, mostOutputBytes).toString();
  return bytes > mostOutputBytes ? `${text}...` : text;
}

/** As Go prints a duration: `500ms`, `1.5s`, `1m30s`. */
function goDuration(durationMs: number): string {
  if (durationMs < 1000) return `${durationMs}ms`;
  const seconds = durationMs / 1000;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = `${Number((seconds % 60).toFixed(9))}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}

const mostOutputBytes = 4096;
const startLimitMs = 30_000;
