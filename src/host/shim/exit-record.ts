import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Fields } from "./frame.ts";
import type { ExitFacts } from "./shim-types.ts";

/** The exit record that a monitor left in its folder; undefined when there is none. */
export async function readExitRecord(dir: string): Promise<ExitFacts | undefined> {
  let text: string;
  try {
    text = await readFile(join(dir, "exit"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const values = new Map(text.split("\n").map((line) => line.split("=", 2) as [string, string | undefined]));
  const timeNs = values.get("time_ns");
  // A power cut can leave an empty file: then nobody saw the end.
  if (timeNs === undefined) return undefined;
  const code = values.get("code");
  const signal = Number(values.get("signal") ?? 0);
  return {
    code: code === undefined ? null : Number(code),
    signal: signal === 0 ? null : signal,
    oomKilled: values.get("oom") === "1",
    timeNs: BigInt(timeNs),
  };
}

/** The same facts out of an EXIT or STATE frame. */
export function exitFactsOf(fields: Fields): ExitFacts {
  const signal = fields.number("signal") ?? 0;
  return {
    code: fields.number("code") ?? null,
    signal: signal === 0 ? null : signal,
    oomKilled: fields.number("oom") === 1,
    timeNs: fields.bigint("timeNs") ?? 0n,
  };
}
