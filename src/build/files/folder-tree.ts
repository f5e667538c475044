import { open, realpath, stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { Fault } from "#core/fault";
import { type FilesWiring, openTree, type TreeOptions, type WholeTree } from "./open-tree.ts";

/**
 * A folder of this machine as a tree: all of it is root's, read when it is asked for. The folder stays the one that was opened:
 * another one in its place meanwhile is a Fault `conflict`. Faults: `notFound`, `invalid` for what is no folder.
 */
export async function openFolderTree(
  wiring: FilesWiring,
  path: string,
  options: Pick<TreeOptions, "name" | "dispose">,
): Promise<WholeTree> {
  await using undo = new AsyncDisposableStack();
  if (!isAbsolute(path)) throw new Fault("invalid", `${path} is no absolute path`);
  const handle = undo.use(await openFolder(path));
  const { dev, ino } = await handle.stat({ bigint: true });
  const tree = await realpath(path).catch(() => path);
  const held = undo.move();
  return openTree(wiring, {
    ...options,
    place: { tree },
    owners: "root",
    async check(program) {
      // The open handle keeps the inode from being given to another folder.
      if ((await program.look(""))?.inode === inodeOf(dev, ino)) return;
      throw replaced(path);
    },
    async explain(failure) {
      const now = await stat(tree, { bigint: true }).catch(() => undefined);
      return now?.dev === dev && now.ino === ino ? failure : replaced(path, failure);
    },
    async dispose() {
      await held.disposeAsync();
      await options.dispose?.();
    },
  });
}

function replaced(path: string, cause?: unknown): Fault {
  return new Fault("conflict", `another folder is at ${path} than when the build began`, {
    cause,
    remedy: "Build again.",
  });
}

async function openFolder(path: string): Promise<Awaited<ReturnType<typeof open>>> {
  try {
    return await open(`${path}/.`, "r");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT")
      throw new Fault("notFound", `unable to prepare context: path ${JSON.stringify(path)} not found`, {
        cause: error,
      });
    if (code === "ENOTDIR")
      throw new Fault("invalid", `unable to prepare context: ${path} is not a folder`, { cause: error });
    if (code === "EACCES" || code === "EPERM")
      throw new Fault("forbidden", `unable to prepare context: ${path}: permission denied`, { cause: error });
    throw error;
  }
}

/** As in the facts that the program tells. */
function inodeOf(device: bigint, inode: bigint): string {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64BE(device, 0);
  bytes.writeBigUInt64BE(inode, 8);
  return bytes.toString("latin1");
}
