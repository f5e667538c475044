import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Reads a small file of a stack where nobody needs to mount it for that: from the folders of its layers, topmost first. `unclear`
 * when a mount has to tell: at symlinks, at folders that may hide what is below them, at anything odd.
 */
export function readPlainly(
  layers: readonly string[],
  path: string,
  limitBytes: number,
): string | undefined | "unclear" {
  const parts = path.split("/").filter((part) => part !== "");
  if (parts.length === 0 || parts.some((part) => part === "." || part === "..")) return "unclear";
  for (const layer of layers) {
    const found = findIn(layer, parts);
    if (found === "unclear") return "unclear";
    if (found === undefined) continue;
    return found.sizeBytes > limitBytes ? "unclear" : readFileSync(found.path, "utf8");
  }
  return undefined;
}

function findIn(
  layer: string,
  parts: readonly string[],
): { readonly path: string; readonly sizeBytes: number } | "unclear" | undefined {
  let path = layer;
  for (const [index, part] of parts.entries()) {
    path = join(path, part);
    const facts = lstatSync(path, { throwIfNoEntry: false });
    // A folder that is there without it may be one that hides all below.
    if (facts === undefined) return index === 0 ? undefined : "unclear";
    const isLast = index === parts.length - 1;
    if (isLast && facts.isFile()) return { path, sizeBytes: facts.size };
    if (isLast || !facts.isDirectory()) return "unclear";
  }
  return "unclear";
}
