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
import { mostOutputBytes } from "./probe-frames.ts";
import { ProbeRunner, runnerCommand } from "./probe-runner.ts";
import { isCrun, runtimeArgv, runtimePathOf } from "./runtime.ts";

interface TimedEnd extends ProbeEnd {
  readonly isLate: boolean;
}

type ProbeEnd = Pick<HealthResult, "exitCode" | "output">;

/** Runs the health check of one run of a container, one probe at a time. Disposing it leaves nothing of it in the container. */
export class Probe implements AsyncDisposable {
  readonly #room: Room;
  readonly #record: ContainerRecord;
  readonly #command: readonly string[];
  readonly #times: HealthTimes;
  /** Process documents are the same for each probe of a run: they are written once. */
  readonly #written = new Set<string>();
  #runner: ProbeRunner | undefined;
  /** How often a runner may fail in a row before each probe goes by the runtime. */
  #chances: number;

  constructor(room: Room, record: ContainerRecord, command: readonly string[]) {
    this.#room = room;
    this.#record = record;
    this.#command = command;
    this.#times = healthTimes(record.process.healthcheck ?? {});
    this.#chances = isCrun(runtimePathOf(room, record)) ? mostChances : 0;
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#runner?.end();
  }

  async #probe(signal: AbortSignal): Promise<ProbeEnd> {
    const execID = newId();
    const words = this.#command.join(" ");
    announcePassing(this.#room, this.#record, `exec_create: ${words}`, { execID });
    let isTold = false;
    const starts = (): void => {
      if (!isTold) announcePassing(this.#room, this.#record, `exec_start: ${words}`, { execID });
      isTold = true;
    };
    const end = (await this.#byRunner(signal, starts)) ?? (await this.#byRuntime(signal, starts));
    announcePassing(this.#room, this.#record, "exec_die", { execID, exitCode: String(end.exitCode) });
    if (!end.isLate) return { exitCode: end.exitCode, output: end.output };
    const late = `Health check exceeded timeout (${goDuration(this.#times.timeoutMs)})`;
    return { exitCode: -1, output: end.output === "" ? late : `${late}: ${end.output}` };
  }

  /** Undefined: there is no runner, or it cannot start the program. Why not is then the runtime's to say. */
  async #byRunner(signal: AbortSignal, starts: () => void): Promise<TimedEnd | undefined> {
    const runner = await this.#readyRunner(signal);
    if (runner === undefined) return undefined;
    starts();
    const work = runner.run();
    const killed = await this.#inTime(signal, settled(work), async () => await runner.kill());
    try {
      const answer = await work;
      if (answer.kind === "ended") {
        this.#chances = mostChances;
        return { exitCode: answer.exitCode, output: textOf(answer.output, answer.hasMore), isLate: killed };
      }
      if (isScarce(answer.errno)) throw new Fault("exhausted", "the probe runner can start nothing");
      return undefined;
    } catch {
      this.#chances--;
      this.#runner = undefined;
      await runner.end();
      if (killed || signal.aborted) return { exitCode: 137, output: "", isLate: killed };
      return undefined;
    }
  }

  async #readyRunner(signal: AbortSignal): Promise<ProbeRunner | undefined> {
    if (this.#runner?.isOver === true) this.#runner = undefined;
    if (this.#runner !== undefined || this.#chances === 0) return this.#runner;
    try {
      this.#runner = await this.#started(
        signal,
        async () => await ProbeRunner.open(await this.#exec("health-runner", runnerCommand(this.#command), true)),
        async (late) => await late.end(),
      );
    } catch {
      this.#chances--; // the runtime runs this probe, and says what is wrong if it cannot either
    }
    return this.#runner;
  }

  async #byRuntime(signal: AbortSignal, starts: () => void): Promise<TimedEnd> {
    await using session = await this.#started(
      signal,
      async () => await this.#exec("health", this.#command, false),
      async (late) => await late.kill(),
    );
    starts();
    const work = readOutput(session);
    const isLate = await this.#inTime(signal, settled(work.then(async () => await session.ended)), async () => {
      await session.kill();
    });
    const output = await work;
    const { code, signal: number } = await session.ended;
    return { exitCode: code ?? 128 + (number ?? 0), output, isLate };
  }

  /** Waits for the end; kills when it is late (true then) or no longer wanted. */
  async #inTime(signal: AbortSignal, end: Promise<void>, kill: () => Promise<void>): Promise<boolean> {
    const killNow = (): void => void kill().catch(this.#room.onUnexpected);
    signal.addEventListener("abort", killNow, { once: true });
    if (signal.aborted) killNow();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      killNow();
    }, this.#times.timeoutMs);
    try {
      await end;
      return isLate;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", killNow);
    }
  }

  /** Starts it, few containers' at once. The time that takes is not the check's own: only a runtime that hangs is given up. */
  async #started<Started>(
    signal: AbortSignal,
    start: () => Promise<Started>,
    drop: (late: Started) => Promise<void>,
  ): Promise<Started> {
    const starting = this.#room.probeStarts.pass(async () => {
      signal.throwIfAborted();
      return await start();
    });
    const hangs = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      void starting.then(drop).catch(() => undefined);
      hangs.reject(new Fault("internal", `timed out starting health check for container ${this.#record.id}`));
    }, startLimitMs);
    try {
      return await Promise.race([starting, hangs.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #exec(name: string, command: readonly string[], givesShim: boolean): Promise<ExecSession> {
    const { bundle } = foldersOf(this.#room.host.paths, this.#record.id);
    const [document = "", pidFile = "", log = ""] = ["json", "pid", "log"].map((end) => join(bundle, `${name}.${end}`));
    const live = this.#room.live.get(this.#record.id);
    if (live === undefined) throw new Fault("conflict", `container ${this.#record.id} is not running`);
    if (!this.#written.has(name)) {
      writeFileSync(document, JSON.stringify(await this.#document(command)), { mode: 0o600 });
    }
    this.#written.add(name);
    try {
      return await live.monitor.exec({
        runtimeArgv: runtimeArgv(this.#room, this.#record, log, [
          "exec",
          "--process",
          document,
          "--detach",
          "--pid-file",
          pidFile,
          ...(givesShim ? ["--preserve-fds", "2"] : []),
          this.#record.id,
        ]),
        pidFile,
        tty: false,
        stdin: givesShim,
        discardOutput: false,
        givesShim,
      });
    } catch (error) {
      const { fault } = execFailure(error, await readRuntimeWords(log), command);
      await rm(log, { force: true });
      throw fault;
    }
  }

  async #document(command: readonly string[]): ReturnType<typeof processDocument> {
    const spec = {
      command,
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
  return textOf(Buffer.concat(pieces).subarray(0, mostOutputBytes), bytes > mostOutputBytes);
}

function textOf(output: Uint8Array, hasMore: boolean): string {
  const text = Buffer.from(output).toString();
  return hasMore ? `${text}...` : text;
}

async function settled(work: Promise<unknown>): Promise<void> {
  await work.catch(() => undefined);
}

/** EAGAIN (pids.max) and ENOMEM: the runner is one process more, which may be what is too much. */
function isScarce(errno: number): boolean {
  return errno === 11 || errno === 12;
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

const mostChances = 2;
const startLimitMs = 30_000;
