import { StringDecoder } from "node:string_decoder";
import type { MountOp, Shim } from "#host";
import { diskAt } from "./disk.ts";
import type { VolumeRecord } from "./records.ts";
import { shown } from "./shown.ts";
import type { VolumeUsage } from "./volumes.ts";
import type { Wiring } from "./wiring.ts";

/** What every volume takes of the disk. */
export async function usage(wiring: Wiring): Promise<readonly VolumeUsage[]> {
  const found: VolumeUsage[] = [];
  for (const record of wiring.records.list()) {
    const sizeBytes = await sizeOf(wiring, record);
    const holders = wiring.records.holdersOf(record.name).length;
    found.push({ volume: await shown(wiring, record), sizeBytes, holders });
  }
  return found;
}

/** Bytes of a volume's files; −1 where its data is somewhere else. */
export async function sizeOf({ local, shim }: Wiring, record: VolumeRecord): Promise<number> {
  try {
    const own = local.ownSource(record);
    if (own === undefined) return -1;
    if (own.kind === "folder") return await treeBytes(shim, own.path, []);
    const { op, path } = diskAt(own, local.dataOf(record.name));
    return await treeBytes(shim, path, [op]);
  } catch {
    return -1; // it goes just now
  }
}

/** Apparent sizes, hard links once, folders not at all. */
async function treeBytes(shim: Shim, tree: string, mounts: readonly MountOp[]): Promise<number> {
  const argv = ["find", ".", "-xdev", "!", "-type", "d", "-printf", String.raw`%n %i %s\n`];
  await using find = await shim.run({ argv, tree, mounts, env: { LC_ALL: "C" } });
  await find.end();
  const decoder = new StringDecoder("latin1");
  const linked = new Set<string>();
  let rest = "";
  let sizeBytes = 0;
  for await (const piece of find.stdout) {
    const lines = (rest + decoder.write(Buffer.from(piece))).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [links, inode = "", size] = line.split(" ");
      if (links !== "1" && linked.has(inode)) continue;
      if (links !== "1") linked.add(inode);
      sizeBytes += Number(size);
    }
  }
  return sizeBytes;
}
