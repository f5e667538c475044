import { defineCommand } from "../command.ts";
import { text } from "../flags/flag.ts";
import { writeWhole } from "../output-file.ts";
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
    if (values.output !== "") await writeWhole(values.output, "failed to save image", () => images.save(args, options));
    else for await (const bytes of await images.save(args, options)) await write(around.stdout, bytes);
    return 0;
  },
});
