import { defineCommand } from "../command.ts";
import { text } from "../flags/flag.ts";
import { writeWhole } from "../output-file.ts";
import { write } from "../surroundings.ts";

/** `slipway export`. */
export const exportContainer = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  summary: "Write a container's files to a tar archive or stdout",
  description:
    "The whole root filesystem as it is now, without what is mounted on it; `slipway import` makes an image of it.",
  examples: [["slipway export -o web.tar web", "Export a container to a file"]],
  flags: { output: text("Write to this file instead of stdout", { short: "o" }) },
  args: [1, 1],
  completes: "containers",
  run: async ({ args, around, values }) => {
    const [name = ""] = args;
    if (values.output === "" && around.stdout.isTTY)
      throw new Error("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    const { containers } = await around.client();
    if (values.output !== "")
      await writeWhole(values.output, "failed to export container", () => containers.exportRoot(name));
    else for await (const bytes of await containers.exportRoot(name)) await write(around.stdout, bytes);
    return 0;
  },
});
