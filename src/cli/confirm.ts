import { createInterface } from "node:readline/promises";
import { ExitStatus } from "./command.ts";
import type { Surroundings } from "./surroundings.ts";

/** Asks before something is lost; anything but `y` ends the command with code 1. */
export async function confirm(around: Surroundings, warning: string): Promise<void> {
  const lines = createInterface({ input: around.stdin, output: around.stdout, terminal: false });
  try {
    around.stdout.write(`${warning}\nAre you sure you want to continue? [y/N] `);
    const answer = await Promise.race([
      new Promise<string>((resolve) => lines.once("line", resolve)),
      new Promise<string>((resolve) => lines.once("close", () => resolve(""))),
    ]);
    if (!/^y(es)?$/i.test(answer.trim())) throw new ExitStatus(1, "canceled: nothing was removed");
  } finally {
    lines.close();
  }
}
