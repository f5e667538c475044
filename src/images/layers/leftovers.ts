import { lstatSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";

/**
 * Removes empty folders and files at those paths of a folder that nobody writes to any more, what is in others before them.
 * What is not empty stays, and so does all that only a symlink leads to.
 */
export function dropLeftovers(folder: string, paths: readonly string[]): void {
  const deepestFirst = paths.map(partsOf).sort((left, right) => right.length - left.length);
  for (const parts of deepestFirst) drop(folder, parts);
}

function drop(folder: string, parts: readonly string[]): void {
  if (parts.length === 0 || parts.includes("..")) return;
  let path = folder;
  for (const part of parts.slice(0, -1)) {
    path = join(path, part);
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  }
  path = join(path, parts.at(-1) ?? "");
  const facts = lstatSync(path, { throwIfNoEntry: false });
  if (facts?.isDirectory() === true) removeIfEmpty(path);
  else if (facts?.isFile() === true && facts.size === 0) unlinkSync(path);
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOTEMPTY")) throw error;
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
