import { spawn } from "node:child_process";
import { once } from "node:events";
import { Fault } from "#core/fault";

/** A program and all that it is given. */
export interface DetachedProgram {
  readonly path: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a program that lives on without us: a session of its own, no terminal, none of our descriptors. Resolves when it runs. Fault `unavailable`. */
export async function startDetached({ path, args, env }: DetachedProgram): Promise<void> {
  const child = spawn(path, args, { env: { ...env }, stdio: "ignore", detached: true, cwd: "/" });
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new Fault("unavailable", `cannot start ${path}: ${String(error)}`, { cause: error });
  }
  child.unref();
}
