import type { ContainerSummary } from "#api/client";
import { shortId } from "#core/ids";
import { familiar, parseReference } from "#core/reference";
import { defineCommand } from "../command.ts";
import { filterFlag, filtersOf } from "../filter-flag.ts";
import { integer, text, toggle } from "../flags/flag.ts";
import { humanDuration } from "../output/duration.ts";
import { ellipsis } from "../output/ellipsis.ts";
import { labelCells } from "../output/label-cells.ts";
import { displayPorts } from "../output/ports.ts";
import { renderRows, type RowCells, type RowFormat } from "../output/rows.ts";
import { humanSize } from "../output/size.ts";
import { write } from "../surroundings.ts";
import { quote } from "../template/quote.ts";
import { goTime } from "../timestamps.ts";

/** `slipway ps`. */
export const ps = defineCommand({
  usage: "[OPTIONS]",
  summary: "List containers",
  description: "Shows the running ones; -a shows all.",
  examples: [
    ["slipway ps -a", "All containers"],
    ["slipway ps -q -f label=app=web", "Ids of the containers with a label"],
    ["slipway ps --format '{{.Names}}: {{.Status}}'", "A format of your own"],
  ],
  flags: {
    all: toggle("Show all containers, not only the running ones", { short: "a" }),
    filter: filterFlag("Show only what fits: status=exited, name=…, label=…, ancestor=…, health=…, publish=…"),
    format: text("table, table TEMPLATE, json, or a Go template for each row"),
    last: integer("Show so many of the newest, in any state", { short: "n", initial: -1 }),
    latest: toggle("Show the newest, in any state", { short: "l" }),
    "no-trunc": toggle("Cut nothing short"),
    quiet: toggle("Print only ids", { short: "q" }),
    size: toggle("Show sizes too", { short: "s" }),
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    const stored = values.quiet || values.format !== "" ? undefined : (await around.userConfig()).psFormat;
    const format = values.format || stored;
    const limit = values.latest ? 1 : values.last;
    const size = values.size || /\.Size\b/.test(format ?? "");
    const rows = await (
      await around.client()
    ).containers.list({
      all: values.all,
      size,
      ...(limit > 0 && { limit }),
      filters: filtersOf(values.filter),
    });
    const layout = { ...containerFormat, table: containerFormat.table + (values.size ? "\t{{.Size}}" : "") };
    const cells = rows.map((row) => containerCells(row, values["no-trunc"]));
    await write(around.stdout, renderRows(layout, cells, { format, quiet: values.quiet }));
    return 0;
  },
});

/** How containers are listed. */
export const containerFormat: RowFormat = {
  goType: "*formatter.ContainerContext",
  headers: {
    ID: "CONTAINER ID",
    Names: "NAMES",
    Image: "IMAGE",
    Command: "COMMAND",
    CreatedAt: "CREATED AT",
    RunningFor: "CREATED",
    Ports: "PORTS",
    State: "STATE",
    Status: "STATUS",
    Size: "SIZE",
    Labels: "LABELS",
    Mounts: "MOUNTS",
    LocalVolumes: "LOCAL VOLUMES",
    Networks: "NETWORKS",
    Platform: "PLATFORM",
  },
  table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
  quietField: "ID",
  raw: "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate: {{.State}}\nstatus: {{.Status}}\nnames: {{.Names}}\nlabels: {{.Labels}}\nports: {{.Ports}}\n",
};

/** A container's row; `whole`: nothing is cut short. */
export function containerCells(row: ContainerSummary, whole: boolean): RowCells {
  const labels = labelCells(row.Labels);
  return {
    fields: {
      ID: () => (whole ? row.Id : shortId(row.Id)),
      Names: () => namesOf(row, whole),
      Image: () => imageOf(row, whole),
      Command: () => quote(whole ? row.Command : ellipsis(row.Command, 20)),
      CreatedAt: () => goTime(row.Created * 1000),
      RunningFor: () => `${humanDuration(Date.now() - row.Created * 1000)} ago`,
      Ports: () => displayPorts(row.Ports ?? []),
      State: () => row.State,
      Status: () => row.Status,
      Size: () => sizeOf(row),
      ...labels.fields,
      Mounts: () =>
        row.Mounts.map(({ Name, Source }) => Name || Source)
          .map((name) => (whole ? name : ellipsis(name, 15)))
          .join(","),
      LocalVolumes: () => String(row.Mounts.filter(({ Driver }) => Driver === "local").length),
      Platform: () => null,
      Networks: () => Object.keys(row.NetworkSettings?.Networks ?? {}).join(","),
    },
    methods: labels.methods,
  };
}

function namesOf(row: ContainerSummary, whole: boolean): string {
  const names = row.Names.map((name) => name.replace(/^\//, ""));
  // A name with a slash in it is a link's; it is shown only in full.
  return (whole ? names : names.filter((name) => !name.includes("/"))).join(",");
}

function imageOf(row: ContainerSummary, whole: boolean): string {
  if (row.Image === "") return "<no image>";
  if (whole) return row.Image;
  if (shortId(row.ImageID) === shortId(row.Image)) return shortId(row.Image);
  try {
    const { digest: _, ...named } = parseReference(row.Image);
    return named.tag === undefined ? row.Image : familiar(named);
  } catch {
    return row.Image;
  }
}

function sizeOf(row: ContainerSummary): string {
  const own = humanSize(row.SizeRw ?? 0, 3);
  return (row.SizeRootFs ?? 0) > 0 ? `${own} (virtual ${humanSize(row.SizeRootFs ?? 0, 3)})` : own;
}
