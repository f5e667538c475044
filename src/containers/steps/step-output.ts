import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "#core/fault";
import type { Attachment } from "#host";
import type { StepRequest } from "./step-types.ts";

/** A monitor gives up a reader that takes nothing for ten seconds. */
const patienceMs = 3000;

/**
 * Hands on a step's output as it comes, each piece when the one before was taken: until then the step waits. A piece is taken from the
 * monitor every few seconds all the same, as it does not wait for ever, and all of them once the step has ended: they are few.
 * Fault `internal` when some were lost.
 */
export async function passOutput(
  { output }: Pick<Attachment, "output">,
  onOutput: StepRequest["onOutput"],
  ended: Promise<unknown>,
): Promise<void> {
  let taken: Promise<void> = Promise.resolve();
  let failure: unknown;
  for await (const item of output) {
    if (item.kind === "gap") throw new Fault("internal", "a part of the step's output was lost");
    const { stream, bytes } = item.chunk;
    taken = taken.then(async () => {
      if (failure === undefined) await onOutput(stream, bytes);
    });
    taken.catch((error: unknown) => (failure = error));
    const patience = new AbortController();
    try {
      await Promise.race([taken, ended, sleep(patienceMs, undefined, { signal: patience.signal })]);
    } catch {
      // Told at the end: the step goes on to where somebody stops it.
    } finally {
      patience.abort();
    }
  }
  await taken;
}
