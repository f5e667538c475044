import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { basename, dirname as parentOf, join as pathJoin } from "node:path/posix";
import type { Digest } from "#core/digest";
import { isFault } from "#core/fault";
import type { Layers } from "#images";
import { foldersOf } from "../life/folders.ts";
import type { Room } from "../room.ts";
import type { StepMount } from "./step-types.ts";

/** Mount points that a step's root lacks. */
export interface Stubs {
  /** A folder that has them, to lie below all layers; undefined when nothing is missing. */
  readonly folder: string | undefined;
  /** Where the runtime makes them itself where that folder is hidden: parents before what is in them. */
  readonly paths: readonly string[];
}

/**
 * Makes the mount points that the layers lack, in a layer below them all: the runtime then has nothing to make in what the step
 * writes, which is to become a layer of an image.
 */
export async function makeStubs(
  room: Room,
  id: string,
  below: Digest | undefined,
  mounts: readonly StepMount[],
): Promise<Stubs> {
  const folder = join(foldersOf(room.host.paths, id).data, "stubs", "root");
  const paths = new Set<string>();
  for (const mount of mounts) {
    const { there, missing } = await missingPart(room.images.layers, below, mount.target);
    if (missing.length === 0) continue;
    const target = pathJoin(there, ...missing);
    for (let depth = 1; depth <= missing.length; depth++) paths.add(pathJoin(there, ...missing.slice(0, depth)));
    makeStub(join(folder, target), await isFile(room.images.layers, mount));
  }
  return { folder: paths.size === 0 ? undefined : folder, paths: [...paths] };
}

/** The deepest part of a path that is there, symlinks followed, and the names after it. */
async function missingPart(
  layers: Pick<Layers, "look">,
  below: Digest | undefined,
  target: string,
): Promise<{ readonly there: string; readonly missing: readonly string[] }> {
  const missing: string[] = [];
  for (let path = target; path !== "/"; path = parentOf(path)) {
    const found = await lookQuietly(layers, below, path);
    if (found !== undefined) return { there: found, missing };
    missing.unshift(basename(path));
  }
  return { there: "/", missing };
}

/** A path that cannot be followed is the runtime's to complain of. */
async function lookQuietly(
  layers: Pick<Layers, "look">,
  below: Digest | undefined,
  path: string,
): Promise<string | undefined> {
  try {
    return (await layers.look(below, path))?.path;
  } catch (error) {
    if (isFault(error, "invalid")) return undefined;
    throw error;
  }
}

async function isFile(layers: Pick<Layers, "look">, mount: StepMount): Promise<boolean> {
  if (mount.kind === "secret") return true;
  if (mount.kind === "host") return statSync(mount.source, { throwIfNoEntry: false })?.isDirectory() === false;
  if (mount.kind !== "stack") return false;
  const found = await layers.look(mount.stack, mount.subpath);
  return found !== undefined && found.kind !== "directory";
}

/** Two mounts at one place, or in one another, are the runtime's to complain of. */
function makeStub(path: string, isFile: boolean): void {
  const parent = isFile ? dirname(path) : path;
  try {
    mkdirSync(parent, { recursive: true, mode: 0o755 });
    if (isFile) writeFileSync(path, "", { mode: 0o644, flag: "wx" });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "EEXIST" && code !== "ENOTDIR" && code !== "EISDIR") throw error;
  }
}
