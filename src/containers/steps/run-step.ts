import { rm } from "node:fs/promises";
import { join } from "node:path";
import { asFault, Fault } from "#core/fault";
import { newId } from "#core/ids";
import type { ExitFacts, Monitor } from "#host";
import type { Lease } from "#images";
import { programPath } from "../config/seccomp-programs.ts";
import { killSignal } from "../config/signals.ts";
import { writeBundle } from "../life/bundle.ts";
import { foldersOf } from "../life/folders.ts";
import { isolationOf } from "../life/namespaces.ts";
import { takePlace } from "../life/place.ts";
import { runtimePathOf } from "../life/runtime.ts";
import { monitorStart, startFault } from "../life/start.ts";
import { tearDown } from "../life/teardown.ts";
import { within } from "../life/within.ts";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";
import { prepareStepMounts } from "./step-mounts.ts";
import { passOutput } from "./step-output.ts";
import { stepRecord } from "./step-record.ts";
import type { StepEnd, StepRequest } from "./step-types.ts";
import { makeStubs, type Stubs } from "./stubs.ts";

/** Runs a step from beginning to end: whatever happens, nothing of it is left but the layer, which the lease keeps. */
export async function runStep(room: Room, request: StepRequest, lease: Lease, signal: AbortSignal): Promise<StepEnd> {
  const id = newId();
  const gone = Promise.withResolvers<void>();
  const closing = new AbortController();
  room.steps.set(id, { abort: () => closing.abort(), gone: gone.promise });
  const stop = AbortSignal.any([signal, closing.signal]);
  // Its cgroup's parent cannot be looked up, as it is in no store.
  const own: Room = { ...room, cgroupParent: request.cgroupParent ?? room.cgroupParent ?? "" };
  const step: Step = { room: request.cgroupParent === undefined ? room : own, id, request, lease, signal: stop };
  try {
    return await run(step);
  } catch (error) {
    if (stop.aborted) throw new Fault("cancelled", "cancelled", { cause: stop.reason });
    throw error;
  } finally {
    room.steps.delete(id);
    gone.resolve();
  }
}

interface Step {
  readonly room: Room;
  readonly id: string;
  readonly request: StepRequest;
  readonly lease: Lease;
  readonly signal: AbortSignal;
}

async function run(step: Step): Promise<StepEnd> {
  const { room, id, request, lease, signal } = step;
  signal.throwIfAborted();
  if (request.below !== undefined) lease.protectLayer(request.below);
  const record = stepRecord(room, id, request);
  await using undo = new AsyncDisposableStack();
  const drop = async (root: string): Promise<void> => await room.images.dropRoot(root);
  undo.defer(async () => await rm(foldersOf(room.host.paths, id).data, { recursive: true, force: true }));
  undo.defer(async () => await drop(id));
  await room.images.layers.createRoot(request.below, id);
  const stubs = await makeStubs(room, id, request.below, request.mounts);
  const sealed = async (end: StepEnd): Promise<StepEnd> => {
    if (request.seal === undefined || end.exitCode !== 0) return end;
    const made = await room.images.layers.seal(id, { ...request.seal, without: stubs.paths }, lease, signal);
    return { ...end, ...(made !== undefined && { sealed: made }) };
  };
  return await runProcess(step, record, stubs, { sealed, onRoot: (root) => undo.defer(async () => await drop(root)) });
}

/**
 * Runs the process and takes the container away again. Once all of its processes are gone nobody writes to its root any more: it
 * is sealed while the runtime and the network are still tidying up.
 */
async function runProcess(
  step: Step,
  record: ContainerRecord,
  stubs: Stubs,
  { sealed, onRoot }: { readonly sealed: (end: StepEnd) => Promise<StepEnd>; readonly onRoot: (name: string) => void },
): Promise<StepEnd> {
  const { room, id, request } = step;
  await using undo = new AsyncDisposableStack();
  try {
    const isolation = isolationOf(room, record);
    const place = undo.use(await takePlace(room, record, isolation));
    const mounts = await prepareStepMounts(room, id, request.mounts, isolation, onRoot);
    undo.defer(async () => await rm(foldersOf(room.host.paths, id).bundle, { recursive: true, force: true }));
    using bundle = await writeBundle(room, record, place, isolation, mounts);
    step.signal.throwIfAborted();
    place.keep();
    undo.defer(async () => await room.networks.release(id));
    const connected = Promise.withResolvers<Connection>();
    const start = monitorStart(room, record, isolation, bundle, place.resolver, stubs.folder);
    const runtimePath = runtimePathOf(room, record);
    const isTaught = room.seccompPrograms.wants(runtimePath, bundle.seccompProfile);
    const program = join(start.dir, "seccomp.bpf");
    const { monitor } = await place.slot.start(
      isTaught ? { ...start, deleteArgv: savingFirst(programPath(room, id), program, start.deleteArgv) } : start,
      async (monitor) => {
        mounts.write(place.slot.pid);
        connected.resolve(undo.use(await connect(monitor)));
      },
    );
    undo.use(monitor);
    const { code, signal, oomKilled } = await follow(step, monitor, await connected.promise);
    const tidying = (async () => {
      await monitor.gone;
      if (isTaught) await room.seccompPrograms.learn(room, runtimePath, bundle.seccompProfile, id, program);
      await undo.disposeAsync();
    })();
    tidying.catch(() => undefined); // heard of below
    const ending = sealed({ exitCode: code ?? 128 + (signal ?? 0), oomKilled });
    await Promise.allSettled([ending, tidying]);
    const end = await ending;
    await tidying;
    return end;
  } catch (error) {
    return await failedStart(step, record, error);
  }
}

/** A step may be over before anybody can look at the filter that was compiled for it: it is saved before the runtime's state goes. */
function savingFirst(from: string, to: string, argv: readonly string[]): string[] {
  return ["/bin/sh", "-c", 'cp -- "$1" "$2"; shift 2; exec "$@"', "sh", from, to, ...argv];
}

type Connection = Awaited<ReturnType<Monitor["attach"]>>;

async function connect(monitor: Monitor): Promise<Connection> {
  return await monitor.attach({ streams: ["stdout", "stderr"], stdin: false, from: "now", throttle: true });
}

/** Stays with a running step until its end, and until all of its output is told. */
async function follow(
  { room, id, request, signal }: Step,
  monitor: Monitor,
  connection: Connection,
): Promise<ExitFacts> {
  const kill = (): void => void end(room, id, monitor);
  signal.addEventListener("abort", kill, { once: true });
  try {
    if (signal.aborted) kill();
    const output = passOutput(connection, request.onOutput, endOf(monitor));
    // Nobody hears what it says any more: it need not go on.
    output.catch(kill);
    const facts = await monitor.exited;
    if (signal.aborted) throw new Fault("cancelled", "cancelled", { cause: signal.reason });
    await output;
    return facts;
  } catch (error) {
    await tearDown(room, id);
    throw error;
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

/** Kills the first process, and with it all others of its pid namespace; one whose monitor does not answer, by its cgroup. */
async function end(room: Room, id: string, monitor: Monitor): Promise<void> {
  try {
    await monitor.signal(killSignal);
    if (await within(endOf(monitor), killTimeMs)) return;
  } catch {
    // It may have ended; else:
  }
  await tearDown(room, id).catch(room.onUnexpected);
}

const killTimeMs = 500;

/** Settles when it has ended, or its monitor died; never rejects. */
async function endOf({ exited }: Monitor): Promise<void> {
  await exited.catch(() => undefined);
}

/** What kept it from running. A user or program that is not there is the Dockerfile's, and is told like what a program itself says. */
async function failedStart({ room, request, signal }: Step, record: ContainerRecord, error: unknown): Promise<StepEnd> {
  if (signal.aborted) throw error;
  const { fault, exitCode } = await startFault(room, record, error);
  const code = exitCode !== 128 ? exitCode : isUnknownUser(fault) ? 125 : undefined;
  if (code === undefined || fault.kind !== "invalid") throw asFault(fault);
  await request.onOutput("stderr", Buffer.from(`${fault.message}\n`));
  return { exitCode: code, oomKilled: false };
}

function isUnknownUser({ message }: Fault): boolean {
  return message.startsWith("unable to find ") || message.startsWith("uids and gids must be");
}
