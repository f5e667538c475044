import { defineCommand } from "../command.ts";
import { text, toggle } from "../flags/flag.ts";
import { renderRows, type RowCells, type RowFormat } from "../output/rows.ts";
import { humanSize } from "../output/size.ts";
import { write } from "../surroundings.ts";
import type { DiskUsageAnswer } from "#api/client";

/** `slipway system df`. */
export const diskUsage = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show the room that images and containers take",
  flags: {
    format: text("table, table TEMPLATE, json, or a Go template for each row"),
    verbose: toggle("Show each image and container", { short: "v" }),
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    if (values.verbose) throw new Error("--verbose is not supported yet: use `slipway images` and `slipway ps -as`");
    const usage = await (await around.client()).system.diskUsage();
    await write(around.stdout, renderRows(format, rowsOf(usage), { format: values.format }));
    return 0;
  },
});

const format: RowFormat = {
  goType: "*formatter.diskUsageContext",
  headers: { Type: "TYPE", TotalCount: "TOTAL", Active: "ACTIVE", Size: "SIZE", Reclaimable: "RECLAIMABLE" },
  table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
};

function rowsOf(usage: DiskUsageAnswer): RowCells[] {
  const images = usage.Images ?? [];
  const containers = usage.Containers ?? [];
  const used = images.filter((image) => image.Containers > 0);
  const idle = containers.filter(({ State }) => !["running", "paused", "restarting"].includes(State));
  const sum = (items: readonly { readonly SizeRw?: number }[]): number =>
    items.reduce((total, { SizeRw = 0 }) => total + SizeRw, 0);
  const usedBytes = used.reduce((total, { SharedSize, Size }) => total + Size - Math.max(0, SharedSize), 0);
  return [
    row("Images", images.length, used.length, usage.LayersSize, Math.max(0, usage.LayersSize - usedBytes)),
    row("Containers", containers.length, containers.length - idle.length, sum(containers), sum(idle)),
    row("Local Volumes", usage.Volumes?.length ?? 0, 0, 0, 0),
    row("Build Cache", usage.BuildCache?.length ?? 0, 0, usage.BuilderSize ?? 0, usage.BuilderSize ?? 0),
  ];
}

function row(type: string, total: number, active: number, sizeBytes: number, reclaimableBytes: number): RowCells {
  const share = sizeBytes > 0 ? ` (${Math.trunc((reclaimableBytes * 100) / sizeBytes)}%)` : "";
  return {
    fields: {
      Type: () => type,
      TotalCount: () => String(total),
      Active: () => String(active),
      Size: () => humanSize(sizeBytes),
      Reclaimable: () => `${humanSize(reclaimableBytes)}${share}`,
    },
  };
}
