import { defineCommand } from "../command.ts";
import { alignTabs } from "../output/tabwriter.ts";
import { write } from "../surroundings.ts";

/** `slipway top`. */
export const top = defineCommand({
  usage: "CONTAINER [ps OPTIONS]",
  summary: "Show the processes of a container",
  description: "Options after the name are handed to ps.",
  examples: [["slipway top web -o pid,cmd", "Choose the columns"]],
  flags: {},
  args: [1, Infinity],
  interspersed: false,
  completes: "running",
  run: async ({ args, around }) => {
    const [name = "", ...options] = args;
    const { Processes, Titles } = await (await around.client()).containers.top(name, options.join(" "));
    const lines = [Titles, ...(Processes ?? [])].map((cells) => `${cells.join("\t")}\n`).join("");
    await write(around.stdout, alignTabs(lines, { minimumWidth: 20, padding: 3 }));
    return 0;
  },
});
