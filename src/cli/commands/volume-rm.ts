import { defineCommand } from "../command.ts";
import { wordsOf } from "../each.ts";
import { toggle } from "../flags/flag.ts";
import { print, write } from "../surroundings.ts";

/** `slipway volume rm`. */
export const volumeRemove = defineCommand({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  summary: "Remove one or more volumes",
  description: "A volume that a container has cannot be removed, also when that container does not run.",
  flags: { force: toggle("Volumes that are not there, or whose driver fails, are no failure", { short: "f" }) },
  args: [1, Infinity],
  completes: "volumes",
  run: async ({ args, around, values }) => {
    const { volumes } = await around.client();
    let code = 0;
    for (const name of args) {
      try {
        await volumes.remove(name, { force: values.force });
        await print(around, name);
      } catch (error) {
        await write(around.stderr, `${wordsOf(error)}\n`);
        code = 1;
      }
    }
    return code;
  },
});
