import type { ImageSummary } from "#api/client";
import { shortId } from "#core/ids";
import { familiarName, parseReference } from "#core/reference";
import { defineCommand } from "../command.ts";
import { filterFlag, filtersOf } from "../filter-flag.ts";
import { text, toggle } from "../flags/flag.ts";
import { humanDuration } from "../output/duration.ts";
import { renderRows, type RowCells, type RowFormat } from "../output/rows.ts";
import { humanSize } from "../output/size.ts";
import { write } from "../surroundings.ts";
import { goTime } from "../timestamps.ts";

/** `slipway images`. */
export const images = defineCommand({
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  summary: "List images",
  examples: [
    ["slipway images", "All images"],
    ["slipway images -f dangling=true -q", "Ids of the images without a name"],
  ],
  flags: {
    all: toggle("Show intermediate images too", { short: "a" }),
    digests: toggle("Show digests"),
    filter: filterFlag("Show only what fits: dangling=true, label=…, before=…, since=…, reference=…"),
    format: text("table, table TEMPLATE, json, or a Go template for each row"),
    "no-trunc": toggle("Cut nothing short"),
    quiet: toggle("Print only ids", { short: "q" }),
    tree: toggle("List by platform", { hidden: true }),
  },
  args: [0, 1],
  completes: "images",
  run: async ({ args, around, values }) => {
    if (values.tree) throw new Error("--tree is not supported yet");
    const stored = values.quiet || values.format !== "" ? undefined : (await around.userConfig()).imagesFormat;
    const format = values.format || stored;
    const filters = filtersOf([...values.filter, ...args.map((name) => `reference=${name}`)]);
    const list = await (await around.client()).images.list({ all: values.all, filters });
    const showDigests = values.digests || /\.Digest\b/.test(format ?? "");
    const rows = list.flatMap((image) => imageRows(image, showDigests, values["no-trunc"]));
    await write(
      around.stdout,
      renderRows(values.digests ? digestFormat : imageFormat, rows, { format, quiet: values.quiet }),
    );
    return 0;
  },
});

/** How images are listed. */
export const imageFormat: RowFormat = {
  goType: "*formatter.imageContext",
  headers: {
    ID: "IMAGE ID",
    Repository: "REPOSITORY",
    Tag: "TAG",
    Digest: "DIGEST",
    CreatedSince: "CREATED",
    CreatedAt: "CREATED AT",
    Size: "SIZE",
    Containers: "CONTAINERS",
    VirtualSize: "SIZE",
    SharedSize: "SHARED SIZE",
    UniqueSize: "UNIQUE SIZE",
  },
  table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}",
  quietField: "ID",
  raw: "repository: {{.Repository}}\ntag: {{.Tag}}\nimage_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n",
};

const digestFormat: RowFormat = {
  ...imageFormat,
  table: imageFormat.table.replace("{{.Tag}}\t", "{{.Tag}}\t{{.Digest}}\t"),
};

/** One row for each name of the image, and for each digest if those are shown. */
export function imageRows(image: ImageSummary, showDigests: boolean, whole: boolean): RowCells[] {
  const tags = byRepository(image.RepoTags ?? [], "tag");
  const digests = byRepository(image.RepoDigests ?? [], "digest");
  const row = (repository: string, tag: string, digest: string): RowCells =>
    cellsOf(image, { repository, tag, digest }, whole);
  if (tags.size === 0 && digests.size === 0) return [row("<none>", "<none>", "<none>")];
  const rows: RowCells[] = [];
  for (const [repository, names] of tags) {
    const own = showDigests ? (digests.get(repository) ?? []) : [];
    digests.delete(repository);
    for (const tag of names)
      rows.push(...(own.length === 0 ? ["<none>"] : own).map((digest) => row(repository, tag, digest)));
  }
  for (const [repository, own] of digests) {
    rows.push(...(showDigests ? own : ["<none>"]).map((digest) => row(repository, "<none>", digest)));
  }
  return rows;
}

function byRepository(names: readonly string[], part: "tag" | "digest"): Map<string, string[]> {
  const map = new Map<string, string[]>();
  for (const name of names) {
    if (name.startsWith("<none>")) continue;
    const reference = parseReference(name);
    const value = reference[part];
    if (value === undefined) continue;
    const repository = familiarName(reference);
    map.set(repository, [...(map.get(repository) ?? []), value]);
  }
  return map;
}

function cellsOf(
  image: ImageSummary,
  name: { readonly repository: string; readonly tag: string; readonly digest: string },
  whole: boolean,
): RowCells {
  const shared = image.SharedSize;
  return {
    fields: {
      ID: () => (whole ? image.Id : shortId(image.Id)),
      Repository: () => name.repository,
      Tag: () => name.tag,
      Digest: () => name.digest,
      CreatedSince: () => `${humanDuration(Date.now() - image.Created * 1000)} ago`,
      CreatedAt: () => goTime(image.Created * 1000),
      Size: () => humanSize(image.Size, 3),
      Containers: () => (image.Containers === -1 ? "N/A" : String(image.Containers)),
      VirtualSize: () => humanSize(image.Size),
      SharedSize: () => (shared === -1 ? "N/A" : humanSize(shared)),
      UniqueSize: () => (shared === -1 ? "N/A" : humanSize(image.Size - shared)),
    },
  };
}
