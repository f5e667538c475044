import { defineCommand } from "../command.ts";
import { isFault } from "#core/fault";
import { forEach, wordsOf } from "../each.ts";
import { write } from "../surroundings.ts";
import { toggle } from "../flags/flag.ts";

/** `slipway rm`. */
export const rm = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Remove containers",
  examples: [
    ["slipway rm web", "Remove a stopped container"],
    ["slipway rm -f $(slipway ps -aq)", "Remove all containers, running ones too"],
  ],
  flags: {
    force: toggle("Kill it first if it runs", { short: "f" }),
    link: toggle("Remove the link of that name", { short: "l" }),
    volumes: toggle("Remove its anonymous volumes too", { short: "v" }),
  },
  args: [1, Infinity],
  completes: "containers",
  run: async ({ args, around, values }) => {
    const { containers } = await around.client();
    return await forEach(around, args, async (name) => {
      try {
        await containers.remove(name.replace(/^\/+/, ""), values);
      } catch (error) {
        // With --force a container that is not there is as good as removed.
        if (!values.force || !isFault(error, "notFound")) throw error;
        await write(around.stderr, `${wordsOf(error)}\n`);
        return undefined;
      }
      return name;
    });
  },
});
