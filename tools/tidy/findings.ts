import { dirname, join, normalize } from "node:path/posix";
import { extraDoors, mayImport, maySpawn, roomOf } from "./rooms.ts";

/** One file of the repository: its path from the root, with slashes, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Something that breaks a rule of the house; `line` counts from 1. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** What breaks the rules in these files; `doors` is the `imports` field of package.json. */
export function findingsIn(files: readonly SourceFile[], doors: Readonly<Record<string, string>>): Finding[] {
  return files.flatMap((file) => [...nameFindings(file), ...importFindings(file, doors), ...hostFindings(file)]);
}

const namelessNames = /(^|[-_])(utils?|common|helpers?|manager|impl|misc)([-_.]|$)/;

function nameFindings({ path }: SourceFile): Finding[] {
  const bad = path.split("/").find((part) => namelessNames.test(part));
  if (bad === undefined) return [];
  return [{ path, line: 1, message: `"${bad}" is no name: what has no name of its own has no home` }];
}

const importPatterns = [
  { pattern: /^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']/gm, lazy: false },
  { pattern: /^\s*import\s*["']([^"']+)["']/gm, lazy: false },
  { pattern: /\bimport\(\s*["']([^"']+)["']\s*\)/g, lazy: true },
];

/** One module that a text imports; `lazy` when by `import()`. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly lazy: boolean;
}

/** Every module that a text imports, types included. */
export function importsOf(text: string): Import[] {
  const found = importPatterns.flatMap(({ pattern, lazy }) =>
    [...text.matchAll(pattern)].map((match) => ({
      specifier: match[1] ?? "",
      lazy,
      line: lineAt(text, match.index + match[0].length),
    })),
  );
  return found.toSorted((a, b) => a.line - b.line);
}

function importFindings({ path, text }: SourceFile, doors: Readonly<Record<string, string>>): Finding[] {
  const room = roomOf(path);
  return importsOf(text).flatMap((found) => {
    const message = importFault(path, room, found, doors);
    return message === undefined ? [] : [{ path, line: found.line, message }];
  });
}

function importFault(
  path: string,
  room: string | undefined,
  { specifier, lazy }: Import,
  doors: Readonly<Record<string, string>>,
): string | undefined {
  if (specifier.startsWith(".")) {
    const target = normalize(join(dirname(path), specifier));
    const targetRoom = roomOf(target);
    if (room !== undefined && targetRoom !== room) {
      // Tests may build on the insides of the rooms below them.
      const below = targetRoom !== undefined && mayImport[room]?.includes(targetRoom) === true;
      return isTest(path) && below ? undefined : `"${specifier}" leaves the room ${room}: use a door`;
    }
    // Outside the rooms (tools, tests, daemon.ts) insides of a room are closed too.
    if (room === undefined && targetRoom !== undefined) return `"${specifier}" enters ${targetRoom} not by its door`;
    return undefined;
  }
  if (!specifier.startsWith("#")) return undefined;
  const target = doorTarget(specifier, doors);
  if (target === undefined) return `"${specifier}" is no door of package.json`;
  if (room === undefined) return undefined;
  if (specifier.startsWith("#fixtures/")) return isTest(path) ? undefined : "fixtures are for tests only";
  const extra = extraDoors.find((one) => one.room === room && one.door === specifier);
  if (extra !== undefined)
    return extra.lazily && !lazy ? `${room} may import ${specifier} by import() only` : undefined;
  const targetRoom = roomOf(target);
  const allowed = mayImport[room];
  if (allowed === undefined) return `${room} is not in the table of rooms (tools/tidy/rooms.ts)`;
  if (targetRoom === room) return `"${specifier}" is this room's own door: import the file itself, ./x.ts`;
  if (targetRoom === undefined || !allowed.includes(targetRoom)) {
    return `${room} may not import ${specifier}: only ${allowed.join(", ") || "nothing"}`;
  }
  return undefined;
}

function doorTarget(specifier: string, doors: Readonly<Record<string, string>>): string | undefined {
  const exact = doors[specifier];
  if (exact !== undefined) return normalize(exact);
  for (const [door, target] of Object.entries(doors)) {
    const [before, after] = door.split("*");
    if (before === undefined || after === undefined || !specifier.startsWith(before)) continue;
    return normalize(target.replace("*", specifier.slice(before.length)));
  }
  return undefined;
}

/** Tests and contract suites, and the files and folders named `testing`, `test-bed` or `.fixture` that serve them. */
function isTest(path: string): boolean {
  return /\.(test|contract|fixture)\.ts$|\/test-bed\.ts$|\/testing\//.test(path);
}

const rawKernelRead =
  /\b(?:read|open|stat|lstat|watch|create|write|append|exists|access)\w*\(\s*[`"']\/(?:proc|sys)\//g;

/** Only `host/` starts processes and reads the kernel's files; tests may. */
function hostFindings({ path, text }: SourceFile): Finding[] {
  const room = roomOf(path);
  if (room === undefined || room === "host" || isTest(path)) return [];
  const spawns = importsOf(text)
    .filter(
      ({ specifier }) =>
        /^(node:)?(child_process|cluster)$/.test(specifier) && !maySpawn.some((one) => one.path === path),
    )
    .map(({ line }) => ({ path, line, message: "only host/ starts processes: ask the shim (#host)" }));
  const reads = [...text.matchAll(rawKernelRead)].map((match) => ({
    path,
    line: lineAt(text, match.index),
    message: "only host/ reads /proc and /sys: ask Machine or Cgroups (#host)",
  }));
  // A daemon's command line is not the daemon: it may look at the machine for itself.
  return room === "cli" ? spawns : [...spawns, ...reads];
}

function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < index; at = text.indexOf("\n", at + 1)) line++;
  return line;
}
