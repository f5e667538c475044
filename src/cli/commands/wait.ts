import { defineCommand } from "../command.ts";
import { forEach } from "../each.ts";

/** `slipway wait`. */
export const wait = defineCommand({
  usage: "CONTAINER [CONTAINER...]",
  summary: "Wait until containers stop, and print their exit codes",
  flags: {},
  args: [1, Infinity],
  completes: "running",
  run: async ({ args, around }) => {
    const { containers } = await around.client();
    return await forEach(around, args, async (name) => {
      const answer = await (await containers.wait(name)).result;
      if (answer.Error !== undefined && answer.Error !== null) throw new Error(answer.Error.Message);
      return String(answer.StatusCode);
    });
  },
});
