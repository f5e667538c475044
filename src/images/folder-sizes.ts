import type { Shim } from "#host";
import { type ListedTree, listTree } from "./list-tree.ts";

/** Bytes of the files below each of some folders of a tree (`a`, `a/b`; `.` is all of it), by one program: apparent sizes, hard links once, directories not at all. Folders that are not there have none. */
export async function folderSizes(
  shim: Shim,
  tree: ListedTree,
  folders: readonly string[],
): Promise<Map<string, number>> {
  const sizes = new Map(folders.map((folder) => [folder, 0]));
  const linked = new Set<string>();
  const look = {
    folders: folders.map((folder) => `./${folder}`),
    deep: true,
    tests: ["!", "-type", "d"],
    format: String.raw`%H\0%i\0%n\0%s\0`,
  };
  for await (const [start = "", inode = "", links, size] of listTree(shim, tree, look)) {
    const folder = start.slice("./".length);
    if (links !== "1") {
      if (linked.has(`${folder} ${inode}`)) continue;
      linked.add(`${folder} ${inode}`);
    }
    sizes.set(folder, (sizes.get(folder) ?? 0) + Number(size));
  }
  return sizes;
}
