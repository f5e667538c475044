import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Reads a small file of a stack where nobody needs to mount it for that: from the folders of its layers, topmost first. No answer
 * when a mount has to tell: at symlinks, at folders that may hide what is below them, at anything odd.
 */
export function readPlainly(
  layers: readonly string[],
  path: string,
  limitBytes: number,
): { readonly text: string | undefined } | undefined {
  const parts = path.split("/").filter((part) => part !== "");
  if (parts.length === 0 || parts.some((part) => part === "." || part === "..")) return undefined;
  for (const layer of layers) {
    const found = findIn(layer, parts);
    if (found.kind === "absent") continue;
    if (found.kind === "unclear" || found.sizeBytes > limitBytes) return undefined;
    return { text: readFileSync(found.path, "utf8") };
  }
  return { text: undefined };
}

type Found =
  | { readonly kind: "file"; readonly path: string; readonly sizeBytes: number }
  | { readonly kind: "absent" }
  | { readonly kind: "unclear" };

function findIn(layer: string, parts: readonly string[]): Found {
  let path = layer;
  for (const [index, part] of parts.entries()) {
    path = join(path, part);
    const facts = lstatSync(path, { throwIfNoEntry: false });
    // A folder that is there without it may be one that hides all below.
    if (facts === undefined) return index === 0 ? { kind: "absent" } : { kind: "unclear" };
    const isLast = index === parts.length - 1;
    if (isLast && facts.isFile()) return { kind: "file", path, sizeBytes: facts.size };
    if (isLast || !facts.isDirectory()) return { kind: "unclear" };
  }
  return { kind: "unclear" };
}
