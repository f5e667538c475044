import type { CollectedAnswer, CollectionAnswer } from "#api/client";
import { shortId } from "#core/ids";
import { defineCommand } from "../command.ts";
import { toggle } from "../flags/flag.ts";
import { humanDuration } from "../output/duration.ts";
import { renderRows, type RowCells, type RowFormat } from "../output/rows.ts";
import { humanSize } from "../output/size.ts";
import { print, write } from "../surroundings.ts";

/** `slipway system gc`. */
export const collect = defineCommand({
  usage: "[OPTIONS]",
  summary: "Keep to the disk budget: remove what was not used for longest",
  description:
    "What the daemon does by itself when more is used than --disk-budget allows: unused images go, least recently used\nfirst, then old logs of stopped containers. Nothing that a container has, no volume, nothing used within a day.",
  examples: [["slipway system gc --dry-run", "Say what would go, and why"]],
  flags: { "dry-run": toggle("Remove nothing: say what would go") },
  args: [0, 0],
  run: async ({ around, values }) => {
    const found = await (await around.client()).system.collect({ dryRun: values["dry-run"] });
    await print(around, budgetLine(found));
    if (found.Collected.length > 0)
      await write(around.stdout, `\n${renderRows(format, found.Collected.map(cellsOf))}\n`);
    const words = found.DryRun ? "Would reclaim" : "Total reclaimed space";
    await print(around, `${words}: ${humanSize(found.SpaceReclaimed)}`);
    return 0;
  },
});

function budgetLine({ Budget, LimitBytes, TargetBytes, UsedBytes }: CollectionAnswer): string {
  const used = `${humanSize(UsedBytes)} used`;
  if (LimitBytes === undefined || TargetBytes === undefined) return `Disk budget: off (${used})`;
  const isOver = UsedBytes > LimitBytes;
  const bounds = `${used} of ${humanSize(LimitBytes)}`;
  return `Disk budget: ${Budget} (${bounds}${isOver ? `; collecting down to ${humanSize(TargetBytes)}` : ": nothing to do"})`;
}

const format: RowFormat = {
  goType: "*formatter.collectedContext",
  headers: { Kind: "KIND", Name: "NAME", ID: "ID", Size: "SIZE", LastUsed: "LAST USED" },
  table: "{{.Kind}}\t{{.Name}}\t{{.ID}}\t{{.Size}}\t{{.LastUsed}}",
};

function cellsOf({ FreedBytes, ID, Kind, LastUsed, Names }: CollectedAnswer): RowCells {
  return {
    fields: {
      Kind: () => Kind,
      Name: () => (Names.length === 0 ? "<none>" : Names.join(", ")),
      ID: () => shortId(ID),
      Size: () => humanSize(FreedBytes),
      LastUsed: () => `${humanDuration(Date.now() - Date.parse(LastUsed))} ago`,
    },
  };
}
