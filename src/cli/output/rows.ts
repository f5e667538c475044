import { compileTemplate, type Template } from "../template/template.ts";
import { jsonText, type TemplateFunction } from "../template/functions.ts";
import { markMap, RowValue, sprint, type Value } from "../template/value.ts";
import { alignTabs } from "./tabwriter.ts";

/** How a list of things is shown. */
export interface RowFormat {
  /** The Go type's name that messages show. */
  readonly goType: string;
  /** Header of each field. */
  readonly headers: Readonly<Record<string, string>>;
  /** The default table: a template with tabs between the cells. */
  readonly table: string;
  /** With `--quiet`: only this field. */
  readonly quietField?: string;
  /** `--format raw`. */
  readonly raw?: string;
}

/** The cells of one row, by field; each is computed when it is used. */
export interface RowCells {
  readonly fields: Readonly<Record<string, () => Value>>;
  readonly methods?: Readonly<Record<string, (...args: readonly Value[]) => Value>>;
}

/** The text for a list: Docker's table, `json` (one document a line), `table TEMPLATE` or a template per row. Throws an Error for a broken template. */
export function renderRows(
  layout: RowFormat,
  rows: readonly RowCells[],
  options: { readonly format?: string | undefined; readonly quiet?: boolean } = {},
): string {
  const values = rows.map((row) => new RowValue({ goType: layout.goType, ...row }));
  const format = unescape(options.format ?? "");
  const isTable = format === "" || format === "table" || format.startsWith("table ");
  if (options.quiet === true && isTable && layout.quietField !== undefined) {
    const field = layout.quietField;
    return values.map((value) => `${sprint(value.row.fields[field]?.())}\n`).join("");
  }
  if (format === "json") return values.map((value) => `${jsonText(value)}\n`).join("");
  if (format === "raw" && layout.raw !== undefined)
    return renderAll(compile(layout.raw), values).replaceAll(/ +$/gm, "");
  if (!isTable) return renderAll(compile(format), values);
  const source = format === "" || format === "table" ? layout.table : format.slice("table".length).trim();
  const template = compile(source);
  const header = compile(source, headerFunctions).render(markMap({ ...layout.headers, Label: labelHeader }));
  return alignTabs(`${header}\n${renderAll(template, values)}`);
}

/** Go's way with a template that does not parse, or that fails on a row. */
function compile(source: string, replaced?: Readonly<Record<string, TemplateFunction>>): Template {
  try {
    const template = compileTemplate(source, replaced);
    return { render: (data) => explained(() => template.render(data)) };
  } catch (error) {
    throw broken("parse", error);
  }
}

function explained(work: () => string): string {
  try {
    return work();
  } catch (error) {
    throw broken("execute", error);
  }
}

function broken(step: "parse" | "execute", error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  return new Error(`failed to ${step} template: ${text}`, { cause: error });
}

function renderAll(template: Template, values: readonly RowValue[]): string {
  return values.map((value) => `${template.render(value)}\n`).join("");
}

/** A shell hands `\t` on as two characters. */
function unescape(format: string): string {
  return format
    .trim()
    .replaceAll(String.raw`\t`, "\t")
    .replaceAll(String.raw`\n`, "\n");
}

/** The column of `.Label "com.example.some-name"` is called `some name`. */
function labelHeader(name: Value): string {
  const [last = ""] = String(name).split(".").slice(-1);
  return last.replaceAll(/[-_]/g, " ");
}

const same: TemplateFunction = (value) => value;

/** In the header line the functions leave the column's title alone. */
const headerFunctions: Readonly<Record<string, TemplateFunction>> = {
  json: same,
  title: same,
  lower: same,
  upper: same,
  truncate: same,
  split: same,
  join: same,
};
