import { defineCommand } from "../command.ts";
import { openInput } from "../input-file.ts";
import { text, toggle } from "../flags/flag.ts";
import { showProgress } from "../output/progress.ts";

/** `slipway load`. */
export const load = defineCommand({
  usage: "[OPTIONS]",
  summary: "Load images from a tar archive or stdin",
  description: "Takes what `save` of this and other engines writes, and OCI layouts; also compressed by gzip or zstd.",
  examples: [["slipway load -i app.tar", "Load from a file"]],
  flags: {
    input: text("Read from this file instead of stdin", { short: "i" }),
    platform: text("Load only that platform's variant"),
    quiet: toggle("Show no progress", { short: "q" }),
  },
  args: [0, 0],
  completes: "files",
  run: async ({ around, values }) => {
    if (values.input === "" && around.stdin.isTTY) {
      throw new Error("requested load from stdin, but stdin is empty");
    }
    const archive = values.input === "" ? around.stdin : await openInput(values.input);
    const { images } = await around.client();
    const quiet = values.quiet || !around.stdout.isTTY;
    const messages = await images.load(archive, {
      quiet,
      ...(values.platform !== "" && { platform: values.platform }),
    });
    await showProgress(messages, around.stdout);
    return 0;
  },
});
