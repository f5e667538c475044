import type { BuildRecordAnswer } from "#api/client";
import { defineCommand, ExitStatus } from "../command.ts";
import { forEach } from "../each.ts";
import { text, toggle } from "../flags/flag.ts";
import { humanDuration } from "../output/duration.ts";
import { renderRows, type RowCells, type RowFormat } from "../output/rows.ts";
import { print, type Surroundings, write } from "../surroundings.ts";

/** `slipway build history`. */
export const buildHistory = defineCommand({
  usage: "[OPTIONS]",
  summary: "List builds that run and that were",
  description: "Newest first. A folder of that name is built with ./history.",
  flags: {
    format: text("table, table TEMPLATE, json, or a Go template for each row"),
    "no-trunc": toggle("Show whole ids"),
    quiet: toggle("Print only ids", { short: "q" }),
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    const records = await (await around.client()).builds.history();
    const rows = records.map((record) => cellsOf(record, values["no-trunc"]));
    await write(around.stdout, renderRows(format, rows, { format: values.format || undefined, quiet: values.quiet }));
    return 0;
  },
});

/** `slipway build history inspect`. */
export const inspectBuilds = defineCommand({
  usage: "BUILD [BUILD...]",
  summary: "Show everything that is known of builds",
  flags: {},
  args: [1, Infinity],
  run: async ({ args, around }) => {
    const found = await findAll(around, args);
    await print(around, JSON.stringify(found, undefined, 4));
    return 0;
  },
});

/** `slipway build history rm`. */
export const removeBuilds = defineCommand({
  usage: "[OPTIONS] [BUILD...]",
  summary: "Forget builds",
  description: "Those that run stay. The images and the cache that came of them stay too.",
  flags: { all: toggle("Forget all that have ended", { short: "a" }) },
  args: [0, Infinity],
  run: async ({ args, around, values }) => {
    const { builds } = await around.client();
    if (values.all === args.length > 0) throw new Error("name the builds to forget, or give --all");
    if (values.all) {
      await builds.forget("all");
      return 0;
    }
    return await forEach(around, args, async (name) => {
      const [record] = await findAll(around, [name]);
      const ids = record === undefined ? [] : [record.ID];
      if ((await builds.forget({ ids })) === 0) throw new Error(`build ${name} runs: it is not forgotten`);
      return ids[0];
    });
  },
});

/** By id, or a unique beginning of it. */
async function findAll(around: Surroundings, names: readonly string[]): Promise<BuildRecordAnswer[]> {
  const records = await (await around.client()).builds.history();
  return names.map((name) => {
    const found = records.filter(({ ID }) => ID === name || ID.startsWith(name));
    const [first] = found;
    if (first === undefined) throw new ExitStatus(1, `No such build: ${name}`);
    if (found.length > 1 && first.ID !== name)
      throw new ExitStatus(1, `several builds have ids that begin with ${name}`);
    return first;
  });
}

const format: RowFormat = {
  goType: "*formatter.buildContext",
  headers: {
    ID: "BUILD ID",
    Name: "NAME",
    Status: "STATUS",
    Steps: "STEPS",
    CreatedSince: "CREATED",
    Duration: "DURATION",
    Tags: "TAGS",
    Error: "ERROR",
  },
  table: "{{.ID}}\t{{.Name}}\t{{.Status}}\t{{.Steps}}\t{{.CreatedSince}}\t{{.Duration}}",
  quietField: "ID",
};

function cellsOf(record: BuildRecordAnswer, isWhole: boolean): RowCells {
  const endMs = record.Ended === undefined ? Date.now() : Date.parse(record.Ended);
  return {
    fields: {
      ID: () => (isWhole ? record.ID : record.ID.slice(0, 12)),
      Name: () => record.Name,
      Status: () => record.Status,
      Steps: () => `${record.Steps} (${record.CachedSteps} cached)`,
      CreatedSince: () => `${humanDuration(Date.now() - Date.parse(record.Started))} ago`,
      Duration: () => `${((endMs - Date.parse(record.Started)) / 1000).toFixed(1)}s`,
      Tags: () => record.Tags.join(", "),
      Error: () => record.Error ?? "",
    },
  };
}
