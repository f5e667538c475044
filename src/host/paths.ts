import { accessSync, constants, mkdirSync } from "node:fs";
import { createHash } from "node:crypto";
import { isAbsolute, normalize, resolve } from "node:path";
import { asFault, Fault } from "#core/fault";
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
    makeWritable(path);
  }
  return { ...paths, instance: instanceOf(paths.dataRoot, paths.execRoot) };
}

function makeWritable(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o711 });
    accessSync(path, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EROFS") throw asFault(error);
    throw new Fault("unavailable", `${path} cannot be written: its file system is read-only`, {
      cause: error,
      remedy: "Mount it for writing, or give the daemon other folders with --data-root and --exec-root.",
    });
  }
}

/** The short name that bridges, tables and cgroups of one daemon derive from. */
export function instanceOf(dataRoot: string, execRoot: string): string {
  if (dataRoot === defaultDataRoot && execRoot === defaultExecRoot) return "slipway";
  const digest = createHash("sha256").update(`${dataRoot}\0${execRoot}`).digest("hex");
  return `slipway-${digest.slice(0, 6)}`;
}
