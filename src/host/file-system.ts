import { statfsSync } from "node:fs";

/** The file system that a path lies on, as Docker names it: `extfs`, `xfs`, `btrfs`, `overlayfs` …; `<unknown>` for others. */
export function fileSystemOf(path: string): string {
  return names.get(statfsSync(path).type) ?? "<unknown>";
}

/** By the magic numbers of statfs(2). */
const names: ReadonlyMap<number, string> = new Map([
  [0xef53, "extfs"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x2fc12fc1, "zfs"],
  [0xf2f52010, "f2fs"],
  [0x794c7630, "overlayfs"],
  [0x01021994, "tmpfs"],
  [0x858458f6, "ramfs"],
  [0x65735546, "fuseblk"],
  [0x6969, "nfs"],
  [0x01021997, "9p"],
  [0xf15f, "ecryptfs"],
  [0x3153464a, "jfs"],
  [0x52654973, "reiserfs"],
]);
