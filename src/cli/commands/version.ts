import { maxApiVersion, productVersion } from "#api/wire";
import type { VersionAnswer } from "#api/client";
import { defineCommand } from "../command.ts";
import { wordsOf } from "../each.ts";
import { text } from "../flags/flag.ts";
import { shaped } from "../output/shape.ts";
import { alignTabs } from "../output/tabwriter.ts";
import { write } from "../surroundings.ts";
import { jsonText } from "../template/functions.ts";
import { compileTemplate, type Template } from "../template/template.ts";
import { TypedNil } from "../template/value.ts";

/** `slipway version`. */
export const version = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show the versions of client and engine",
  examples: [["slipway version --format '{{.Server.Version}}'", "One fact"]],
  flags: { format: text("json, or a Go template", { short: "f" }) },
  args: [0, 0],
  run: async ({ around, values }) => {
    const template = values.format === "" || values.format === "json" ? undefined : compileTemplate(values.format);
    let server: VersionAnswer | undefined;
    let failure: unknown;
    let apiVersion: string = maxApiVersion;
    try {
      const client = await around.client();
      server = await client.system.version();
      apiVersion = client.apiVersion;
    } catch (error) {
      failure = error;
    }
    const client = {
      Platform: { Name: "Slipway" },
      Version: productVersion,
      ApiVersion: apiVersion,
      DefaultAPIVersion: maxApiVersion,
      GitCommit: "",
      GoVersion: `node ${process.version}`,
      Os: "linux",
      Arch: process.arch === "x64" ? "amd64" : process.arch,
      BuildTime: "",
      Context: "default",
    };
    const all = { Client: client, Server: server ?? new TypedNil("pointer") };
    if (template !== undefined && server === undefined) await write(around.stdout, withoutServer(template, all));
    else if (template !== undefined) await write(around.stdout, `${template.render(shaped("version", all))}\n`);
    else if (values.format === "json") await write(around.stdout, `${jsonText(all)}\n`);
    else await write(around.stdout, clientText(client) + (server === undefined ? "" : serverText(server)));
    if (failure === undefined) return 0;
    await write(around.stderr, `${wordsOf(failure)}\n`);
    return 1;
  },
});

/** What a template can say without an engine; an empty line when it asks for the engine's facts. */
function withoutServer(template: Template, all: object): string {
  try {
    return `${template.render(shaped("version", all))}\n`;
  } catch {
    return "\n";
  }
}

function clientText(client: Readonly<Record<string, unknown>>): string {
  return section("Client: Slipway", [
    ["Version", client["Version"]],
    ["API version", client["ApiVersion"]],
    ["Runtime", client["GoVersion"]],
    ["OS/Arch", `${String(client["Os"])}/${String(client["Arch"])}`],
  ]);
}

function serverText(server: VersionAnswer): string {
  const engine = section(`\nServer: ${server.Platform?.Name ?? ""}`.trimEnd(), [
    ["Version", server.Version],
    ["API version", `${server.ApiVersion} (minimum version ${server.MinAPIVersion})`],
    ["OS/Arch", `${server.Os}/${server.Arch}`],
    ["Kernel", server.KernelVersion],
  ]);
  const parts = (server.Components ?? []).filter(({ Name }) => Name !== "Engine");
  return engine + parts.map(({ Name, Version }) => section(` ${Name}:`, [[" Version", Version]])).join("");
}

function section(title: string, rows: readonly (readonly [string, unknown])[]): string {
  const lines = rows.map(([name, value]) => ` ${name}:\t${String(value)}\n`).join("");
  return `${title}\n${alignTabs(lines, { minimumWidth: 20, padding: 1 })}`;
}
