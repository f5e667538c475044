import { shortId } from "#core/ids";
import { defineCommand } from "../command.ts";
import { filterFlag, filtersOf } from "../filter-flag.ts";
import { text, toggle } from "../flags/flag.ts";
import { labelCells } from "../output/label-cells.ts";
import { renderRows, type RowFormat } from "../output/rows.ts";
import { write } from "../surroundings.ts";
import { goTime } from "../timestamps.ts";

/** `slipway network ls`. */
export const networkList = defineCommand({
  usage: "[OPTIONS]",
  summary: "List networks",
  flags: {
    filter: filterFlag("Show only what fits: driver=bridge, name=…, label=…"),
    format: text("table, table TEMPLATE, json, or a Go template for each row"),
    "no-trunc": toggle("Cut nothing short"),
    quiet: toggle("Print only ids", { short: "q" }),
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    const stored = values.quiet || values.format !== "" ? undefined : (await around.userConfig()).networksFormat;
    const networks = await (await around.client()).networks.list(filtersOf(values.filter));
    networks.sort((left, right) => (left.Name < right.Name ? -1 : 1));
    const rows = networks.map((network) => {
      const labels = labelCells(network.Labels);
      return {
        fields: {
          ID: () => (values["no-trunc"] ? network.Id : shortId(network.Id)),
          Name: () => network.Name,
          Driver: () => network.Driver,
          Scope: () => network.Scope,
          IPv4: () => String(network.EnableIPv4 ?? true),
          IPv6: () => String(network.EnableIPv6),
          Internal: () => String(network.Internal),
          ...labels.fields,
          CreatedAt: () => goTime(Date.parse(network.Created), /\.\d+/.exec(network.Created)?.[0].replace(/0+$/, "")),
        },
        methods: labels.methods,
      };
    });
    await write(
      around.stdout,
      renderRows(networkFormat, rows, { format: values.format || stored, quiet: values.quiet }),
    );
    return 0;
  },
});

const networkFormat: RowFormat = {
  goType: "*network.networkContext",
  headers: {
    ID: "NETWORK ID",
    Name: "NAME",
    Driver: "DRIVER",
    Scope: "SCOPE",
    IPv4: "IPV4",
    IPv6: "IPV6",
    Internal: "INTERNAL",
    Labels: "LABELS",
    CreatedAt: "CREATED AT",
  },
  table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
  quietField: "ID",
  raw: "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
};
