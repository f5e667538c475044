import { defineCommand } from "../command.ts";

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
    await (await around.client()).containers.rename(name, newName);
    return 0;
  },
});
