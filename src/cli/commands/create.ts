import { defineCommand } from "../command.ts";
import { createContainer } from "../create-container.ts";
import { containerFlags } from "../request/container-flags.ts";
import { createRequest } from "../request/create-request.ts";
import { print } from "../surroundings.ts";

/** `slipway create`. */
export const create = defineCommand({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create a container without starting it",
  description: "Prints its id; `slipway start` starts it.",
  flags: containerFlags,
  args: [1, Infinity],
  interspersed: false,
  failureCode: 125,
  completes: "images",
  run: async ({ args, around, changed, values }) => {
    const [image = "", ...command] = args;
    const request = createRequest(values, changed, image, command);
    const { id } = await createContainer(around, request, values);
    await print(around, id);
    return 0;
  },
});
