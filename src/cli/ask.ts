import { createInterface } from "node:readline";
import type { Surroundings } from "./surroundings.ts";

/** Asks a person at a terminal for a line; undefined when there is no terminal or the input ends. `hidden` shows nothing of what is typed. */
export async function askLine(
  around: Surroundings,
  prompt: string,
  options: { readonly hidden?: boolean } = {},
): Promise<string | undefined> {
  const { stdin, stdout } = around;
  if (!stdin.isTTY) return undefined;
  // Line editing is the terminal's own; only its echo goes.
  const silence = options.hidden === true;
  const lines = createInterface({ input: stdin, terminal: silence, ...(silence && { output: nowhere }) });
  try {
    stdout.write(prompt);
    return await new Promise<string | undefined>((resolve) => {
      lines.once("line", resolve);
      lines.once("close", () => resolve(undefined));
      lines.once("SIGINT", () => resolve(undefined));
    });
  } finally {
    lines.close();
    if (silence) stdout.write("\n");
  }
}

const { Writable } = process.getBuiltinModule("node:stream");
const nowhere = new Writable({ write: (_bytes, _encoding, done) => done() });
