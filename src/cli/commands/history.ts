import { shortId } from "#core/ids";
import { defineCommand } from "../command.ts";
import { text, toggle } from "../flags/flag.ts";
import { humanDuration } from "../output/duration.ts";
import { ellipsis } from "../output/ellipsis.ts";
import { renderRows, type RowFormat } from "../output/rows.ts";
import { humanSize } from "../output/size.ts";
import { write } from "../surroundings.ts";
import { rfc3339Local } from "../timestamps.ts";

/** `slipway history`. */
export const history = defineCommand({
  usage: "[OPTIONS] IMAGE",
  summary: "Show the steps that made an image",
  flags: {
    format: text("table, table TEMPLATE, json, or a Go template for each row"),
    human: toggle("Print sizes and times for a person", { short: "H", initial: true }),
    "no-trunc": toggle("Cut nothing short"),
    platform: text("Platform's variant to show", { hidden: true }),
    quiet: toggle("Print only ids", { short: "q" }),
  },
  args: [1, 1],
  completes: "images",
  run: async ({ args, around, values }) => {
    if (values.platform !== "") throw new Error("--platform is not supported yet");
    const steps = await (await around.client()).images.history(args[0] ?? "");
    const whole = values["no-trunc"];
    const rows = steps.map((step) => {
      const createdAt = (): string => (step.Created <= 0 ? "" : rfc3339Local(step.Created * 1000));
      const since = (): string =>
        step.Created <= 0 ? "N/A" : `${humanDuration(Date.now() - step.Created * 1000)} ago`;
      const createdBy = step.CreatedBy.replaceAll("\t", " ");
      return {
        fields: {
          ID: () => (whole ? step.Id : shortId(step.Id)),
          CreatedAt: createdAt,
          CreatedSince: () => (values.human ? since() : createdAt()),
          CreatedBy: () => (whole ? createdBy : ellipsis(createdBy, 45)),
          Size: () => (values.human ? humanSize(step.Size, 3) : String(step.Size)),
          Comment: () => step.Comment,
        },
      };
    });
    await write(
      around.stdout,
      renderRows(values.human ? historyFormat : exactFormat, rows, { format: values.format, quiet: values.quiet }),
    );
    return 0;
  },
});

const historyFormat: RowFormat = {
  goType: "*formatter.historyContext",
  headers: {
    ID: "IMAGE",
    CreatedSince: "CREATED",
    CreatedAt: "CREATED AT",
    CreatedBy: "CREATED BY",
    Size: "SIZE",
    Comment: "COMMENT",
  },
  table: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
  quietField: "ID",
};

const exactFormat: RowFormat = { ...historyFormat, headers: { ...historyFormat.headers, CreatedSince: "CREATED AT" } };
