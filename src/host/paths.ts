import { mkdirSync } from "node:fs";
import { createHash } from "node:crypto";
import { isAbsolute, normalize, resolve } from "node:path";
import { Fault } from "#core/fault";
import type { Paths } from "./host.ts";

export const defaultDataRoot = "/var/lib/slipway";
export const defaultExecRoot = "/run/slipway";

/** Checks the roots, makes them (0711 as containers' processes must pass through, nothing listable) and derives the instance's name. */
export function openPaths(dataRoot: string, execRoot: string): Paths {
  const paths = { dataRoot: resolve(dataRoot), execRoot: resolve(execRoot) };
  for (const path of Object.values(paths)) {
    if (!isAbsolute(path) || normalize(path) === "/")
      throw new Fault("invalid", `${path} cannot be a root folder of the daemon`);
    // Colons and commas end overlay's option values; a newline would break mount tables.
    if (/[:,\n"\\]/.test(path))
      throw new Fault("invalid", `the folder ${JSON.stringify(path)} has a character that mounts cannot carry`, {
        remedy: 'Choose a path without : , " \\ and newlines.',
      });
    mkdirSync(path, { recursive: true, mode: 0o711 });
  }
  return { ...paths, instance: instanceOf(paths.dataRoot, paths.execRoot) };
}

/** The short name that bridges, tables and cgroups of one daemon derive from. */
export function instanceOf(dataRoot: string, execRoot: string): string {
  if (dataRoot === defaultDataRoot && execRoot === defaultExecRoot) return "slipway";
  const digest = createHash("sha256").update(`${dataRoot}\0${execRoot}`).digest("hex");
  return `slipway-${digest.slice(0, 6)}`;
}
