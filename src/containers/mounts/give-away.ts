import { lchown, realpath, stat } from "node:fs/promises";
import { Fault } from "#core/fault";
import type { IdMapping, IdRange, MountOp, Shim } from "#host";
import { isSystemPath, systemPathFault } from "../config/owner-changes.ts";

/** Who gets it, as the container numbers its users. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** The option `U`: gives a folder and all in it to the container's user. Fault `invalid` for system paths. */
export async function giveAway(
  shim: Shim,
  path: string,
  owner: Owner,
  mapping: IdMapping | undefined,
  subpath?: string,
): Promise<void> {
  const tree = await realpath(path).catch((error: unknown) => {
    throw new Fault("invalid", `cannot give ${path} to the container's user: it is not there`, { cause: error });
  });
  if (isSystemPath(tree)) throw systemPathFault(tree);
  if ((await stat(tree)).isDirectory()) return await giveTree(shim, { tree, mounts: [], subpath }, owner, mapping);
  await lchown(tree, hostId(owner.uid, mapping?.uids), hostId(owner.gid, mapping?.gids));
}

/**
 * Gives what is in a tree, once the mounts are made. chown runs where nothing else of the host is to be seen, and follows no
 * symlink: whoever changes the tree meanwhile gets nothing else changed.
 */
export async function giveTree(
  shim: Shim,
  given: { readonly tree: string; readonly mounts: readonly MountOp[]; readonly subpath: string | undefined },
  { uid, gid }: Owner,
  mapping: IdMapping | undefined,
): Promise<void> {
  const { tree, mounts, subpath = "." } = given;
  const owner = `${hostId(uid, mapping?.uids)}:${hostId(gid, mapping?.gids)}`;
  const { code, stderr } = await shim.runToEnd({
    argv: ["chown", "--recursive", "--no-dereference", "-P", owner, "--", "."],
    env: { LC_ALL: "C" },
    mounts,
    tree,
    treeFolder: subpath,
  });
  if (code !== 0) throw new Fault("internal", `cannot give ${tree} to ${owner}: ${stderr.trim().slice(0, 300)}`);
}

function hostId(id: number, ranges: readonly IdRange[] | undefined): number {
  if (ranges === undefined) return id;
  const range = ranges.find(({ inside, size }) => id >= inside && id < inside + size);
  if (range === undefined) throw new Fault("invalid", `the user ${id} is not in the container's user namespace`);
  return range.outside + id - range.inside;
}
