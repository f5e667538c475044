import type { BuildCacheEntry } from "#api/client";
import { shortId } from "#core/ids";
import { defineCommand } from "../command.ts";
import { toggle } from "../flags/flag.ts";
import { humanDuration } from "../output/duration.ts";
import { renderRows, type RowCells, type RowFormat } from "../output/rows.ts";
import { humanSize } from "../output/size.ts";
import { write } from "../surroundings.ts";

/** `slipway builder du`. */
export const cacheUsage = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show what the build cache consists of",
  flags: { verbose: toggle("Show everything that is known of each piece", { short: "v" }) },
  args: [0, 0],
  run: async ({ around, values }) => {
    const cache = (await (await around.client()).system.diskUsage()).BuildCache ?? [];
    const shown = values.verbose ? cache.map(paragraph).join("\n") : renderRows(format, cache.map(cellsOf));
    const bytesOf = (fits: (entry: BuildCacheEntry) => boolean): string =>
      humanSize(cache.filter(fits).reduce((sum, { Size }) => sum + Size, 0));
    const totals = [
      ["Shared:", bytesOf(({ Shared }) => Shared)],
      ["Private:", bytesOf(({ Shared }) => !Shared)],
      ["Reclaimable:", bytesOf(({ InUse }) => !InUse)],
      ["Total:", bytesOf(() => true)],
    ] as const;
    await write(around.stdout, `${shown}${totals.map(([name, size]) => `${name.padEnd(16)}${size}\n`).join("")}`);
    return 0;
  },
});

const format: RowFormat = {
  goType: "*formatter.cacheContext",
  headers: {
    ID: "ID",
    Reclaimable: "RECLAIMABLE",
    Size: "SIZE",
    LastAccessed: "LAST ACCESSED",
    Description: "DESCRIPTION",
  },
  table: "{{.ID}}\t{{.Reclaimable}}\t{{.Size}}\t{{.LastAccessed}}\t{{.Description}}",
};

function cellsOf(entry: BuildCacheEntry): RowCells {
  return {
    fields: {
      ID: () => shortId(entry.ID),
      Reclaimable: () => String(!entry.InUse),
      Size: () => `${humanSize(entry.Size)}${entry.Shared ? "*" : ""}`,
      LastAccessed: () => agoOf(entry),
      Description: () => (entry.Description.length > 60 ? `${entry.Description.slice(0, 59)}…` : entry.Description),
    },
  };
}

function paragraph(entry: BuildCacheEntry): string {
  const lines = [
    ["ID", entry.ID],
    ["Parents", (entry.Parents ?? []).join(", ")],
    ["Created at", entry.CreatedAt],
    ["Mutable", String(entry.Type === "exec.cachemount")],
    ["Reclaimable", String(!entry.InUse)],
    ["Shared", String(entry.Shared)],
    ["Size", humanSize(entry.Size)],
    ["Description", entry.Description],
    ["Usage count", String(entry.UsageCount)],
    ["Last used", agoOf(entry)],
    ["Type", entry.Type],
  ] as const;
  return lines
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${`${name}:`.padEnd(16)}${value}\n`)
    .join("");
}

function agoOf({ LastUsedAt }: BuildCacheEntry): string {
  return LastUsedAt === null ? "" : `${humanDuration(Date.now() - Date.parse(LastUsedAt))} ago`;
}
