import { EngineFault } from "#api/client";
import { exitCodeOf, Fault } from "#core/fault";
import type { Surroundings } from "./surroundings.ts";
import { write } from "./surroundings.ts";

/** At most so many calls run at once. */
const parallelLimit = 50;

/**
 * Does the same for several names, side by side, and goes on past failures: prints what `work` answers (undefined: nothing) in
 * the order of the names, failures to stderr; answers 1 if there were any.
 */
export async function forEach(
  around: Surroundings,
  names: readonly string[],
  work: (name: string) => Promise<string | undefined>,
): Promise<number> {
  let code = 0;
  const running: Promise<string | undefined>[] = [];
  const failures: string[] = [];
  for (const [index, name] of names.entries()) {
    if (index >= parallelLimit) await running[index - parallelLimit]?.catch(() => undefined);
    const job = work(name);
    job.catch(() => undefined); // looked at below
    running.push(job);
  }
  for (const job of running) {
    try {
      const line = await job;
      if (line !== undefined) await write(around.stdout, `${line}\n`);
    } catch (error) {
      code = 1;
      failures.push(wordsOf(error));
    }
  }
  if (failures.length > 0) await write(around.stderr, `${failures.join("\n")}\n`);
  return code;
}

/** A failure in the words that a person gets; refusals of the engine say that they are. */
export function wordsOf(error: unknown): string {
  if (error instanceof EngineFault) return `Error response from daemon: ${error.text}`;
  if (error instanceof Fault) return error.text;
  return error instanceof Error ? error.message : String(error);
}

/** The exit code for a failure: the table's for a Fault (130 when it was cancelled), else 1. */
export function exitCodeFor(error: unknown): number {
  return error instanceof Fault ? exitCodeOf[error.kind] : 1;
}
