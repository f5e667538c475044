import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const program = join(import.meta.dirname, "../../../../bin/slipway.ts");

/** Resolver processes of the test's own on a folder of its own; disposing ends them all. */
export interface ResolverBed extends AsyncDisposable {
  readonly folder: string;
  readonly queries: string;
  readonly control: string;
  /** Those that were started, in order. */
  readonly processes: ChildProcess[];
  /** Starts one. */
  start(...more: readonly string[]): Promise<void>;
  /** Starts one and waits until it listens. */
  startReady(...more: readonly string[]): Promise<void>;
}

/** A bed with nothing running yet. */
export function resolverBed(): ResolverBed {
  const parent = mkdtempSync(join(tmpdir(), "names-"));
  const folder = join(parent, "r");
  const processes: ChildProcess[] = [];
  const start = async (...more: readonly string[]): Promise<void> => {
    const child = spawn(process.execPath, [program, "resolver", "--folder", folder, ...more], { stdio: "ignore" });
    processes.push(child);
    await once(child, "spawn");
  };
  const control = join(folder, "control.sock");
  return {
    folder,
    queries: join(folder, "queries.sock"),
    control,
    processes,
    start,
    async startReady(...more) {
      await start(...more);
      for (let tries = 0; !existsSync(control); tries++) {
        if (tries > 1000) throw new Error("the resolver does not listen");
        await sleep(10);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const child of processes) await killed(child);
      rmSync(parent, { recursive: true });
    },
  };
}

/** Ends it by SIGKILL, if it runs, and waits for its end. */
export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
