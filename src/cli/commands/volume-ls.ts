import { defineCommand } from "../command.ts";
import { filterFlag, filtersOf } from "../filter-flag.ts";
import { text, toggle } from "../flags/flag.ts";
import { labelCells } from "../output/label-cells.ts";
import { renderRows, type RowFormat } from "../output/rows.ts";
import { write } from "../surroundings.ts";

/** `slipway volume ls`. */
export const volumeList = defineCommand({
  usage: "[OPTIONS]",
  summary: "List volumes",
  flags: {
    cluster: toggle("Show only volumes of a swarm"),
    filter: filterFlag("Show only what fits: dangling=true, driver=local, name=…, label=…"),
    format: text("table, table TEMPLATE, json, or a Go template for each row"),
    quiet: toggle("Print only names", { short: "q" }),
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    const stored = values.quiet || values.format !== "" ? undefined : (await around.userConfig()).volumesFormat;
    const answer = await (await around.client()).volumes.list(filtersOf(values.filter));
    for (const warning of answer.Warnings ?? []) await write(around.stderr, `WARNING: ${warning}\n`);
    const volumes = values.cluster ? [] : answer.Volumes.toSorted((left, right) => (left.Name < right.Name ? -1 : 1));
    const rows = volumes.map((volume) => {
      const labels = labelCells(volume.Labels);
      return {
        fields: {
          Driver: () => volume.Driver,
          Scope: () => volume.Scope,
          Mountpoint: () => volume.Mountpoint,
          Name: () => volume.Name,
          ...labels.fields,
          Links: () => "N/A",
          Size: () => "N/A",
          Group: () => "N/A",
          Availability: () => "N/A",
          Status: () => "N/A",
        },
        methods: labels.methods,
      };
    });
    await write(
      around.stdout,
      renderRows(volumeFormat, rows, { format: values.format || stored, quiet: values.quiet }),
    );
    return 0;
  },
});

const volumeFormat: RowFormat = {
  goType: "*volume.volumeContext",
  headers: {
    Driver: "DRIVER",
    Scope: "SCOPE",
    Mountpoint: "MOUNTPOINT",
    Name: "VOLUME NAME",
    Labels: "LABELS",
    Links: "LINKS",
    Size: "SIZE",
    Group: "GROUP",
    Availability: "AVAILABILITY",
    Status: "STATUS",
  },
  table: "{{.Driver}}\t{{.Name}}",
  quietField: "Name",
  raw: "name: {{.Name}}\ndriver: {{.Driver}}\n",
};
