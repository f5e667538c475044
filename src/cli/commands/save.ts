import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { defineCommand } from "../command.ts";
import { text } from "../flags/flag.ts";
import { write } from "../surroundings.ts";

/** `slipway save`. */
export const save = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Save images to a tar archive or stdout",
  examples: [["slipway save -o app.tar app:1.0", "Save an image to a file"]],
  flags: {
    output: text("Write to this file instead of stdout", { short: "o" }),
    platform: text("Save only that platform's variant"),
  },
  args: [1, Infinity],
  completes: "images",
  run: async ({ args, around, values }) => {
    if (values.output === "" && around.stdout.isTTY) {
      throw new Error("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    const { images } = await around.client();
    const options = values.platform === "" ? {} : { platform: values.platform };
    if (values.output !== "") await writeWhole(values.output, () => images.save(args, options));
    else for await (const bytes of await images.save(args, options)) await write(around.stdout, bytes);
    return 0;
  },
});

/** A file that is whole or absent: written beside, then renamed. The folder is tried before the engine is asked. */
async function writeWhole(path: string, fetch: () => Promise<AsyncIterable<Uint8Array>>): Promise<void> {
  const partial = `${path}.partial-${process.pid}`;
  const file = await open(partial, "wx", 0o600).catch((error: unknown) => {
    const { code, message } = error as Error & { code?: string };
    const reason = code === "ENOENT" ? `stat ${dirname(path)}: no such file or directory` : message;
    throw new Error(`failed to save image: invalid output path: ${reason}`, { cause: error });
  });
  try {
    for await (const bytes of await fetch()) await file.writeFile(bytes);
    await file.close();
    await rename(partial, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw error;
  }
}
