import type { BuildCacheEntry, ContainerSummary, DiskUsageAnswer, VolumeAnswer } from "#api/client";
import { shortId } from "#core/ids";
import { defineCommand } from "../command.ts";
import { text, toggle } from "../flags/flag.ts";
import { humanDuration } from "../output/duration.ts";
import { renderRows, type RowCells, type RowFormat } from "../output/rows.ts";
import { humanSize } from "../output/size.ts";
import { write } from "../surroundings.ts";
import { jsonText } from "../template/functions.ts";
import { compileTemplate } from "../template/template.ts";
import { RowValue } from "../template/value.ts";
import { imageFormat, imageRows } from "./images.ts";
import { containerCells, containerFormat } from "./ps.ts";

/** `slipway system df`. */
export const diskUsage = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show the room that images, containers, volumes and the build cache take",
  flags: {
    format: text("table, table TEMPLATE, json, or a Go template for each row"),
    verbose: toggle("Show each image, container, volume and piece of the build cache", { short: "v" }),
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    const usage = await (await around.client()).system.diskUsage();
    const shown = values.verbose
      ? verbose(usage, values.format)
      : renderRows(format, rowsOf(usage), { format: values.format });
    await write(around.stdout, shown);
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
  const volumes = usage.Volumes ?? [];
  const cache = usage.BuildCache ?? [];
  const used = images.filter((image) => image.Containers > 0);
  const usedBytes = sum(used, ({ SharedSize, Size }) => Size - Math.max(0, SharedSize));
  const idle = containers.filter(({ State }) => !["running", "paused", "restarting"].includes(State));
  const linked = volumes.filter((volume) => linksOf(volume) > 0);
  const unlinked = volumes.filter((volume) => linksOf(volume) === 0);
  const cacheBytes = sum(cache, cacheBytesOf);
  const busy = cache.filter(({ InUse }) => InUse);
  return [
    row("Images", [images.length, used.length, usage.LayersSize], Math.max(0, usage.LayersSize - usedBytes)),
    row(
      "Containers",
      [containers.length, containers.length - idle.length, sum(containers, writableBytes)],
      sum(idle, writableBytes),
    ),
    row("Local Volumes", [volumes.length, linked.length, sum(volumes, volumeBytes)], sum(unlinked, volumeBytes)),
    row("Build Cache", [cache.length, busy.length, cacheBytes], cacheBytes - sum(busy, cacheBytesOf), false),
  ];
}

function row(
  type: string,
  [total, active, sizeBytes]: readonly [total: number, active: number, sizeBytes: number],
  reclaimableBytes: number,
  hasShare = true,
): RowCells {
  const share = hasShare && sizeBytes > 0 ? ` (${Math.trunc((reclaimableBytes * 100) / sizeBytes)}%)` : "";
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

/** Docker's four tables; `json` or a template is about all four lists together. */
function verbose(usage: DiskUsageAnswer, asked: string): string {
  const isTable = asked === "" || asked.startsWith("table");
  const images = (usage.Images ?? []).flatMap((image) => imageRows(image, false, !isTable));
  const containers = (usage.Containers ?? []).map((container) =>
    containerCells({ ...container, SizeRootFs: 0 }, !isTable),
  );
  const volumes = (usage.Volumes ?? []).map(volumeCells);
  const cache = (usage.BuildCache ?? []).map(cacheCells);
  if (!isTable) {
    const list = (goType: string, rows: readonly RowCells[]) => () =>
      rows.map((each) => new RowValue({ goType, ...each }));
    const all = new RowValue({
      goType: "*formatter.diskUsageContext",
      fields: {
        Images: list(imageFormat.goType, images),
        Containers: list(containerFormat.goType, containers),
        Volumes: list(volumeFormat.goType, volumes),
        BuildCache: list(cacheFormat.goType, cache),
      },
    });
    return `${asked === "json" ? jsonText(all) : compileTemplate(asked).render(all)}\n`;
  }
  const cacheBytes = sum(usage.BuildCache ?? [], cacheBytesOf);
  return [
    `Images space usage:\n\n${renderRows({ ...imageFormat, table: imageTable }, images)}`,
    `Containers space usage:\n\n${renderRows({ ...containerFormat, table: containerTable }, containers)}`,
    `Local Volumes space usage:\n\n${renderRows(volumeFormat, volumes)}`,
    `Build cache usage: ${humanSize(cacheBytes)}\n\n${renderRows(cacheFormat, cache)}`,
  ].join("\n");
}

const imageTable =
  "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const containerTable =
  "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";

const volumeFormat: RowFormat = {
  goType: "*formatter.volumeContext",
  headers: { Name: "VOLUME NAME", Links: "LINKS", Size: "SIZE" },
  table: "{{.Name}}\t{{.Links}}\t{{.Size}}",
};

const cacheFormat: RowFormat = {
  goType: "*formatter.buildCacheContext",
  headers: {
    ID: "CACHE ID",
    CacheType: "CACHE TYPE",
    Size: "SIZE",
    CreatedSince: "CREATED",
    LastUsedSince: "LAST USED",
    UsageCount: "USAGE",
    Shared: "SHARED",
  },
  table: "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}",
};

function volumeCells(volume: VolumeAnswer): RowCells {
  return {
    fields: {
      Name: () => volume.Name,
      Links: () => (volume.UsageData === undefined ? "N/A" : String(volume.UsageData.RefCount)),
      Size: () => (volume.UsageData === undefined ? "N/A" : humanSize(volume.UsageData.Size)),
    },
  };
}

function cacheCells(entry: BuildCacheEntry): RowCells {
  const ago = (time: string | null): string =>
    time === null ? "" : `${humanDuration(Date.now() - Date.parse(time))} ago`;
  return {
    fields: {
      ID: () => `${shortId(entry.ID)}${entry.InUse ? "*" : ""}`,
      CacheType: () => entry.Type,
      Size: () => humanSize(entry.Size, 3),
      CreatedSince: () => ago(entry.CreatedAt),
      LastUsedSince: () => ago(entry.LastUsedAt),
      UsageCount: () => String(entry.UsageCount),
      Shared: () => String(entry.Shared),
    },
  };
}

function linksOf({ UsageData }: VolumeAnswer): number {
  return UsageData?.RefCount ?? 0;
}

/** −1 stands for what could not be told. */
function volumeBytes({ UsageData }: VolumeAnswer): number {
  return Math.max(0, UsageData?.Size ?? 0);
}

function writableBytes({ SizeRw = 0 }: ContainerSummary): number {
  return SizeRw;
}

function cacheBytesOf({ Shared, Size }: BuildCacheEntry): number {
  return Shared ? 0 : Size;
}

function sum<Item>(items: readonly Item[], bytesOf: (item: Item) => number): number {
  return items.reduce((total, item) => total + bytesOf(item), 0);
}
