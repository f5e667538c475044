import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecSession, TerminalSize } from "#host";
import { Fault } from "#core/fault";
import { newId } from "#core/ids";
import { announce } from "../announce.ts";
import { capabilitiesOf, readUserFiles } from "../life/bundle.ts";
import { resolveCapabilities } from "../config/capabilities.ts";
import type { Exec, ExecSpec, Session } from "../containers.ts";
import { parseDetachKeys } from "./detach-keys.ts";
import type { ExecRecord } from "./exec-records.ts";
import { ExecStreams } from "./exec-streams.ts";
import { execFailure, readRuntimeWords } from "../life/failure.ts";
import { foldersOf } from "../life/folders.ts";
import { linkEnvironment, runningLinks } from "../life/links.ts";
import { overrideEnv, processEnv } from "../config/process.ts";
import { attempt, type Room } from "../room.ts";
import { runtimeArgv } from "../life/runtime.ts";
import type { RuntimeProcess } from "../config/runtime-spec.ts";
import { processCapabilities, processConfinement } from "../config/spec.ts";
import { runtimeRlimits } from "../config/ulimits.ts";
import { parseSecurityOptions } from "../config/security-options.ts";
import { mustRun } from "../state.ts";
import type { ContainerRecord } from "../store.ts";
import { resolveUser } from "../config/user.ts";

/** Registers a program to be run in a running container; answers its id. */
export function createExec(room: Room, nameOrId: string, spec: ExecSpec): string {
  const record = room.store.find(nameOrId);
  mustBeAwake(record);
  if (spec.command.length === 0) throw new Fault("invalid", "No exec command specified");
  parseDetachKeys(spec.detachKeys);
  const id = newId();
  room.execs.add({ id, containerId: record.id, spec, state: { status: "created" } });
  announce(room, record, `exec_create: ${spec.command.join(" ")}`, { execID: id });
  return id;
}

/** Runs it; answers its streams, or undefined when nobody wants them. */
export async function startExec(
  room: Room,
  execId: string,
  options: { readonly detach: boolean; readonly tty: boolean; readonly size?: TerminalSize },
): Promise<Session | undefined> {
  const exec = room.execs.find(execId);
  mustBeNew(exec);
  const record = room.store.find(exec.containerId);
  mustBeAwake(record);
  const live = room.live.get(record.id);
  if (live === undefined) throw new Fault("conflict", `container ${record.id} is not running`);
  exec.state = { status: "starting" };
  const files = execFiles(room, exec);
  announce(room, record, `exec_start: ${exec.spec.command.join(" ")}`, { execID: exec.id });
  const document = await processDocument(room, record, exec.spec, options.size).catch((error: unknown) => {
    room.execs.ended(exec, 126, 0); // refused before the runtime is asked, such as an unknown user
    throw error;
  });
  try {
    writeFileSync(files.document, JSON.stringify(document), { mode: 0o600 });
    const size = options.size ?? exec.size ?? exec.spec.size;
    const session = await live.monitor.exec({
      runtimeArgv: runtimeArgv(room, record, files.log, [
        "exec",
        "--process",
        files.document,
        "--detach",
        "--pid-file",
        files.pid,
        record.id,
      ]),
      pidFile: files.pid,
      tty: exec.spec.tty,
      ...(size !== undefined && { size }),
      stdin: exec.spec.attach.stdin && !options.detach,
      discardOutput: options.detach,
    });
    exec.session = session;
    exec.state = { status: "running", pid: session.pid };
    const ended = follow(room, record, exec, session);
    if (options.detach) return undefined;
    return new ExecStreams(exec.spec, session, ended, () => announce(room, record, "exec_detach", { execID: exec.id }));
  } catch (error) {
    const { fault, exitCode } = execFailure(error, await readRuntimeWords(files.log), exec.spec.command);
    room.execs.ended(exec, exitCode, 0);
    throw error instanceof Fault && error.kind === "unavailable" ? error : fault;
  } finally {
    // At once: three files in memory go faster than the promises for them would.
    for (const path of Object.values(files)) attempt(room, () => rmSync(path, { force: true }));
  }
}

/** An exec as inspect shows it. */
export function inspectExec(room: Room, execId: string): Exec {
  const { id, containerId, spec, state } = room.execs.find(execId);
  return { id, containerId, spec, state: state.status === "starting" ? { status: "created" } : state };
}

/** Changes the size of its terminal; before the start it is kept for it. */
export async function resizeExec(room: Room, execId: string, size: TerminalSize): Promise<void> {
  const exec = room.execs.find(execId);
  if (exec.state.status === "exited") throw new Fault("conflict", `exec ${exec.id} is not running`);
  exec.size = size;
  await exec.session?.resize(size);
}

/** Puts its end into its record. */
async function follow(room: Room, record: ContainerRecord, exec: ExecRecord, session: ExecSession): Promise<void> {
  let exitCode = 137;
  try {
    const { code, signal } = await session.ended;
    exitCode = code ?? 128 + (signal ?? 0);
  } catch {
    // The monitor is gone, and the container with it: killed.
  }
  room.execs.ended(exec, exitCode, session.pid);
  announce(room, room.store.get(record.id) ?? record, "exec_die", { execID: exec.id, exitCode: String(exitCode) });
}

/** What the runtime is told of the program. Faults `invalid` for users that the container does not know. */
export async function processDocument(
  room: Room,
  record: ContainerRecord,
  spec: ExecSpec,
  size: TerminalSize | undefined,
): Promise<RuntimeProcess> {
  const users = await readUserFiles(room, record.id);
  const user = spec.user === "" ? record.process.user : spec.user;
  const resolved = resolveUser(user, record.spec.groupAdd, users);
  const capabilities = spec.privileged
    ? resolveCapabilities({ add: [], drop: [], privileged: true }, (name) => room.host.machine.hasCapability(name))
    : capabilitiesOf(room, record);
  return {
    terminal: spec.tty,
    user: resolved.ids,
    args: spec.command,
    env: processEnv({
      env: overrideEnv([...linkEnvironment(record.name, runningLinks(room, record)), ...record.process.env], spec.env),
      hostname: record.hostname,
      tty: spec.tty,
      home: resolved.home,
    }),
    cwd: spec.workingDir === "" ? record.process.workingDir : spec.workingDir,
    capabilities: processCapabilities(capabilities, resolved.ids.uid),
    ...processConfinement(parseSecurityOptions(record.spec.securityOptions), room.host.machine.apparmor),
    ...rlimitsOf(room, record),
    ...(size !== undefined && spec.tty && { consoleSize: { height: size.rows, width: size.columns } }),
  };
}

/** The runtime gives an exec the daemon's own, where the document is silent. */
function rlimitsOf({ host, defaultUlimits = [] }: Room, { spec }: ContainerRecord): Pick<RuntimeProcess, "rlimits"> {
  const rlimits = runtimeRlimits(spec.ulimits, defaultUlimits, host.machine);
  return rlimits.length === 0 ? {} : { rlimits };
}

function execFiles({ host }: Room, exec: ExecRecord): { document: string; pid: string; log: string } {
  const { bundle } = foldersOf(host.paths, exec.containerId);
  const base = join(bundle, `exec-${exec.id}`);
  return { document: `${base}.json`, pid: `${base}.pid`, log: `${base}.log` };
}

function mustBeAwake(record: ContainerRecord): void {
  if (mustRun(record).status === "paused") {
    throw new Fault("conflict", `container ${record.id} is paused, unpause the container before exec`);
  }
}

function mustBeNew(exec: ExecRecord): void {
  if (exec.state.status === "exited") throw new Fault("conflict", `exec command ${exec.id} has already run`);
  if (exec.state.status !== "created") throw new Fault("conflict", `exec command ${exec.id} is already running`);
}
