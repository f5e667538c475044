import { defineCommand } from "../command.ts";
import { forEach } from "../each.ts";
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
      await containers.remove(name.replace(/^\/+/, ""), values);
      return name;
    });
  },
});
