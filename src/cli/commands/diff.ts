import { defineCommand } from "../command.ts";
import { write } from "../surroundings.ts";

/** `slipway diff`. */
export const diff = defineCommand({
  usage: "CONTAINER",
  summary: "Show what a container changed in its file system",
  description:
    "A line for each path: A is new, C was changed (or something in it), D is gone.\nWhat is mounted is not looked at.",
  examples: [["slipway diff web", "What differs from the image"]],
  flags: {},
  args: [1, 1],
  completes: "containers",
  run: async ({ args: [name = ""], around }) => {
    const changes = await (await around.client()).containers.changes(name);
    await write(around.stdout, changes.map(({ Kind, Path }) => `${letters[Kind]} ${Path}\n`).join(""));
    return 0;
  },
});

const letters = { 0: "C", 1: "A", 2: "D" } as const;
