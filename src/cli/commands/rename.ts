import { defineCommand } from "../command.ts";
import { wordsOf } from "../each.ts";

/** `slipway rename`. */
export const rename = defineCommand({
  usage: "CONTAINER NEW_NAME",
  summary: "Give a container another name",
  flags: {},
  args: [2, 2],
  completes: "containers",
  run: async ({ args, around }) => {
    const [name = "", newName = ""] = args.map((arg) => arg.trim());
    if (name === "" || newName === "") throw new Error("Error: Neither old nor new names may be empty");
    try {
      await (await around.client()).containers.rename(name, newName);
    } catch (error) {
      throw new Error(`${wordsOf(error)}\nError: failed to rename container named ${name}`, { cause: error });
    }
    return 0;
  },
});
