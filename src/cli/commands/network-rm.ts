import { EngineFault } from "#api/client";
import { defineCommand } from "../command.ts";
import { wordsOf } from "../each.ts";
import { toggle } from "../flags/flag.ts";
import { print, write } from "../surroundings.ts";

/** `slipway network rm`. */
export const networkRemove = defineCommand({
  usage: "NETWORK [NETWORK...]",
  summary: "Remove one or more networks",
  flags: { force: toggle("Networks that are not there are no failure", { short: "f" }) },
  args: [1, Infinity],
  completes: "networks",
  run: async ({ args, around, values }) => {
    const { networks } = await around.client();
    let code = 0;
    for (const name of args) {
      try {
        await networks.remove(name);
        await print(around, name);
      } catch (error) {
        if (values.force && error instanceof EngineFault && error.status === 404) continue;
        await write(around.stderr, `${wordsOf(error)}\n`);
        code = 1;
      }
    }
    return code;
  },
});
