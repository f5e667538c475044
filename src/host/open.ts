import { join } from "node:path";
import { systemClock } from "#core/clock";
import { Fault } from "#core/fault";
import { machineCgroupLayout, openCgroups } from "./cgroups.ts";
import { openDatabase } from "./database.ts";
import { engineId } from "./engine-id.ts";
import { lockFile } from "./file-lock.ts";
import { fileSystemOf } from "./file-system.ts";
import type { Host } from "./host.ts";
import { openJournal } from "./journal.ts";
import { readMachine } from "./machine.ts";
import { openPaths } from "./paths.ts";
import { findRuntimes } from "./runtimes.ts";
import { connectShim, stopZygote } from "./shim/shim.ts";

/** What one daemon instance asks of the machine. */
export interface HostOptions {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Absolute path of the shim's binary. */
  readonly shimPath: string;
  /** `--default-runtime`, and `--add-runtime name=path`. */
  readonly defaultRuntime?: string;
  readonly runtimes?: Readonly<Record<string, string>>;
}

/** Opens the machine for one daemon instance: takes the instance's locks, opens the database, connects the shim. */
export async function openHost(options: HostOptions): Promise<Host> {
  await using undo = new AsyncDisposableStack();
  const paths = openPaths(options.dataRoot, options.execRoot);
  undo.use(lockExecRoot(paths.execRoot));
  const database = openDatabase(join(paths.dataRoot, "slipway.db"));
  undo.defer(() => database.close());
  const socketPath = join(paths.execRoot, "shim.sock");
  // Monitors do not need it: containers run on, and the next daemon starts another.
  undo.defer(async () => await stopZygote(socketPath));
  const layout = machineCgroupLayout();
  const runtimes = findRuntimes(layout, options);
  const keptProgram = runtimes.paths[runtimes.default];
  const shim = undo.use(
    await connectShim({
      socketPath,
      shimPath: options.shimPath,
      ...(keptProgram !== undefined && { keptProgram }),
    }),
  );
  const journal = openJournal(database, systemClock);
  undo.defer(() => journal.flush());
  const cgroups = openCgroups(layout, paths.instance);
  undo.defer(async () => await cgroups.leave());
  const held = undo.move();
  return {
    clock: systemClock,
    shim,
    database,
    journal,
    cgroups,
    machine: readMachine(shim),
    paths,
    engineId: engineId(database),
    backingFileSystem: fileSystemOf(paths.dataRoot),
    runtimes,
    [Symbol.asyncDispose]: async () => await held.disposeAsync(),
  };
}

/** One daemon an exec-root. */
function lockExecRoot(execRoot: string): Disposable {
  const lock = lockFile(join(execRoot, "daemon.lock"));
  if (lock !== undefined) return lock;
  throw new Fault("conflict", `another slipway daemon already uses ${execRoot}`, {
    remedy: "Stop that daemon, or give this one its own --data-root and --exec-root.",
  });
}
