import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { cached } from "../fixtures/cache.ts";
import { mustRun } from "../fixtures/program.ts";

/** The path of a static program, built (once for each text) from `NAME.c` in this folder. It runs in any container. */
export async function buildProgram(name: string): Promise<string> {
  const source = join(import.meta.dirname, `${name}.c`);
  const text = await readFile(source);
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 12);
  return await cached(`${name}-${digest}`, async (target) => {
    await mustRun("musl-gcc", ["-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o", target, source]);
  });
}
