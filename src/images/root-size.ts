import type { Shim } from "#host";
import { type ListedTree, listTree } from "./list-tree.ts";

/** Bytes of a folder's files as `docker ps -s` counts them: apparent sizes, hard links once, directories not at all. */
export async function rootSizeBytes(shim: Shim, folder: ListedTree): Promise<number> {
  const look = { tests: ["!", "-type", "d"], format: String.raw`%i\0%n\0%s\0` };
  const linked = new Set<string>();
  let sizeBytes = 0;
  for await (const [inode = "", links, size] of listTree(shim, folder, look)) {
    if (links !== "1") {
      if (linked.has(inode)) continue;
      linked.add(inode);
    }
    sizeBytes += Number(size);
  }
  return sizeBytes;
}
