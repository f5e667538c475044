import { confirm } from "../confirm.ts";
import { defineCommand } from "../command.ts";
import { filterFlag, filtersOf } from "../filter-flag.ts";
import { toggle } from "../flags/flag.ts";
import { humanSize } from "../output/size.ts";
import { print } from "../surroundings.ts";

/** `slipway volume prune`. */
export const volumePrune = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove unused local volumes",
  description: "Removes volumes that nobody gave a name and that no container has; -a removes named ones too.",
  flags: {
    all: toggle("Remove named ones too", { short: "a" }),
    filter: filterFlag("Only what fits: label=…", { short: false }),
    force: toggle("Do not ask", { short: "f" }),
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    const filters = filtersOf(values.filter);
    if (values.all && filters["all"] !== undefined)
      throw new Error("conflicting options: cannot specify both --all and --filter all=1");
    if (!values.force) {
      const which = values.all ? "all local volumes" : "anonymous local volumes";
      await confirm(around, `WARNING! This will remove ${which} not used by at least one container.`);
    }
    const client = await around.client();
    const answer = await client.volumes.prune({ ...filters, ...(values.all && { all: ["true"] }) });
    const names = answer.VolumesDeleted ?? [];
    if (names.length > 0) await print(around, `Deleted Volumes:\n${names.join("\n")}\n`);
    await print(around, `Total reclaimed space: ${humanSize(answer.SpaceReclaimed)}`);
    return 0;
  },
});
