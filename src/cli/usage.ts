import { catalogue, type Entry, findEntry, groups } from "./catalogue.ts";
import type { Command } from "./command.ts";
import type { Flag, FlagTable } from "./flags/flag.ts";

/** `slipway run --help`. `width` is the terminal's. */
export function commandHelp(command: Command, path: string, width: number): string {
  const parts = [`Usage:  ${path}${command.usage === "" ? "" : ` ${command.usage}`}`, command.summary];
  if (command.description !== undefined) parts.push(paragraphs(command.description, width));
  const aliases = aliasesOf(path);
  if (aliases.length > 1) parts.push(`Aliases:\n  ${aliases.join(", ")}`);
  if (command.examples !== undefined) {
    parts.push(`Examples:\n${command.examples.map(([line, meaning]) => `  # ${meaning}\n  ${line}`).join("\n\n")}`);
  }
  for (const [group, flags] of grouped(command.flags)) {
    parts.push(`${group}:\n${flagLines(flags, width)}`);
  }
  return `${parts.join("\n\n")}\n`;
}

/** `slipway --help`. */
export function programHelp(globals: FlagTable, width: number): string {
  const parts = [
    "Usage:  slipway [OPTIONS] COMMAND",
    "Builds, stores and runs containers. Speaks Docker's command and API language.",
    "Examples:\n  slipway run --rm hello\n  slipway run -d -p 8080:80 --name web hello web\n  slipway logs -f web",
  ];
  for (const heading of ["Common Commands", "Commands"] as const) {
    const rows = Object.entries(catalogue).filter(([, entry]) => entry.heading === heading);
    parts.push(`${heading}:\n${rowLines(rows.map(([name, entry]) => [name, entry.summary]))}`);
  }
  parts.splice(4, 0, `Management Commands:\n${rowLines(Object.entries(groups))}`);
  parts.push(`Global Options:\n${flagLines(Object.entries(globals), width)}`);
  parts.push(
    "Environment:\n" +
      rowLines([
        ["SLIPWAY_HOST", "Engine to talk to; goes before DOCKER_HOST, after --host"],
        ["DOCKER_HOST", "The same, shared with other clients of the API"],
        ["DOCKER_CONFIG", "Folder of config.json with logins and formats (default ~/.docker)"],
      ]),
  );
  parts.push("Run 'slipway COMMAND --help' for more information on a command.");
  return `${parts.join("\n\n")}\n`;
}

/** `slipway container --help`. */
export function groupHelp(group: string): string {
  const rows: [string, string][] = [];
  for (const [name, entry] of Object.entries(catalogue)) {
    const own = [name, ...(entry.aliases ?? [])].find((alias) => alias.startsWith(`${group} `));
    if (own !== undefined) rows.push([own.slice(group.length + 1), entry.summary]);
  }
  rows.sort(([left], [right]) => (left < right ? -1 : 1));
  return `Usage:  slipway ${group} COMMAND\n\n${groups[group] ?? ""}\n\nCommands:\n${rowLines(rows)}\n\nRun 'slipway ${group} COMMAND --help' for more information on a command.\n`;
}

function aliasesOf(path: string): string[] {
  const name = path.replace(/^slipway /, "");
  const entry: Entry | undefined = findEntry(name);
  if (entry === undefined) return [];
  const main = Object.entries(catalogue).find(([, other]) => other === entry)?.[0] ?? name;
  return [main, ...(entry.aliases ?? [])].map((alias) => `slipway ${alias}`);
}

function grouped(flags: FlagTable): Map<string, [string, Flag<unknown>][]> {
  const map = new Map<string, [string, Flag<unknown>][]>();
  for (const [name, flag] of Object.entries(flags) as [string, Flag<unknown>][]) {
    const group = flag.group === undefined ? "Options" : `${flag.group} Options`;
    map.set(group, [...(map.get(group) ?? []), [name, flag]]);
  }
  return map;
}

function flagLines(flags: readonly (readonly [string, Flag<unknown>])[], width: number): string {
  const rows = flags
    .filter(([, flag]) => flag.hidden !== true)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, flag]): [string, string] => [
      `${flag.short === undefined ? "    " : `-${flag.short}, `}--${name}${flag.typeName === "" ? "" : ` ${flag.typeName}`}`,
      flag.defaultText === undefined ? flag.help : `${flag.help} (default ${flag.defaultText})`,
    ]);
  const left = Math.max(...rows.map(([name]) => name.length)) + 5;
  return rows
    .map(
      ([name, help]) =>
        `  ${name.padEnd(left - 2)}${wrap(help, Math.max(24, width - left)).join(`\n${" ".repeat(left)}`)}`,
    )
    .join("\n");
}

function rowLines(rows: readonly (readonly [string, string])[]): string {
  const left = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, text]) => `  ${name.padEnd(Math.max(left, 12))}${text}`).join("\n");
}

/** Lines that are broken on purpose stay; long ones are broken at the width. */
function paragraphs(text: string, width: number): string {
  return text
    .trim()
    .split("\n")
    .flatMap((line) => (line.length <= width ? [line] : wrap(line, width)))
    .join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
