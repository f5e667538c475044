import type { Client, StopOptions } from "#api/client";
import { type Surroundings, write } from "./surroundings.ts";

/**
 * Says at once, on stderr, that a container will not react to being stopped, how long that takes and how to mend it. Quiet
 * when there is nothing to say; what is wrong with the name is for the stop itself to tell.
 */
export async function warnOfDeafContainer(
  around: Surroundings,
  containers: Client["containers"],
  name: string,
  options: StopOptions,
): Promise<void> {
  if (options.signal !== undefined || options.timeoutSeconds === 0) return;
  const found = await containers.inspect(name).catch(() => undefined);
  if (found?.State.IgnoresStopSignal !== true) return;
  const { StopSignal: signal = "SIGTERM", StopTimeout: timeout = usualSeconds } = found.Config;
  const seconds = options.timeoutSeconds ?? timeout;
  if (seconds !== 0) await write(around.stderr, deafWords(name, signal, seconds));
}

/** What the person is told. */
export function deafWords(name: string, signal: string, seconds: number): string {
  const then = seconds < 0 ? "and nothing else ends it" : `so it is killed in ${seconds} s`;
  return (
    `${name} does not react to ${signal}: its first process has no handler for it, ${then}.\n` +
    "To mend it: run it with --init; or start the program by the exec form of ENTRYPOINT and CMD, without a shell in between; " +
    "or set STOPSIGNAL to a signal that it handles. `-t 1` waits less.\n"
  );
}

const usualSeconds = 10;
