import { resolve } from "node:path/posix";
import { Fault } from "#core/fault";
import type { MountOp, Shim } from "#host";

/** The most that is read of a file. */
export const limitBytes = 1 << 20;

/** Mounts that show a root filesystem, read-only, and where. */
export interface ShownRoot {
  readonly target: string;
  readonly mounts: readonly MountOp[];
}

/** Reads a small file of a root filesystem as text, symlinks followed with no way out of the root; undefined when there is none or it is no plain file. Fault `invalid` for too many symlinks. */
export async function readFileInRoot(shim: Shim, root: ShownRoot, path: string): Promise<string | undefined> {
  const end = await shim.runToEnd({
    argv: [resolve("/", path), String(limitBytes)],
    builtin: "read",
    mounts: root.mounts,
    tree: root.target,
    timeLimitMs: 10_000,
  });
  if (end.code === 0) return Buffer.from(end.stdout).toString("utf8");
  if (end.code === 1) return undefined;
  if (end.code === 4) throw new Fault("invalid", `too many symbolic links: ${path}`);
  throw new Fault("internal", `cannot read ${path} in a container's root`);
}
