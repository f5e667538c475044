import { dirname, join, resolve } from "node:path/posix";
import { Fault, isFault } from "#core/fault";
import type { MountOp, Shim } from "#host";

const limitBytes = 1 << 20;
const followedLinks = 40;

/** Mounts that show a root filesystem, read-only, and where. */
export interface ShownRoot {
  readonly target: string;
  readonly mounts: readonly MountOp[];
}

/**
 * Reads a small file of a root filesystem as text; undefined when there is none or it is no plain file. The folder is
 * entered with no way out of the root, and a symlink at the end is resolved here and tried again.
 */
export async function readFileInRoot(shim: Shim, root: ShownRoot, path: string): Promise<string | undefined> {
  let at = resolve("/", path);
  for (let hops = 0; hops < followedLinks; hops++) {
    const read = await readAt(shim, root, at);
    if (read === undefined || read.code !== 0) return undefined;
    const answer = Buffer.from(read.stdout);
    if (answer[0] === marks.file) return answer.toString("utf8", 1);
    if (answer[0] !== marks.link) return undefined;
    at = resolve(dirname(at), answer.toString("utf8", 1));
  }
  throw new Fault("invalid", `too many symbolic links: ${join(path)}`);
}

/** What the script answers for one path; undefined when its folder is not there. */
async function readAt(
  shim: Shim,
  root: ShownRoot,
  at: string,
): Promise<Awaited<ReturnType<Shim["runToEnd"]>> | undefined> {
  try {
    return await shim.runToEnd({
      argv: ["sh", "-c", script, "sh", at.slice(dirname(at).length).replace(/^\//, ""), String(limitBytes)],
      env: { LC_ALL: "C" },
      mounts: root.mounts,
      tree: root.target,
      treeFolder: dirname(at),
      timeLimitMs: 10_000,
    });
  } catch (error) {
    if (isFault(error, "notFound")) return undefined;
    throw error;
  }
}

const marks = { file: 0x46, link: 0x4c } as const;
const script = `
if [ -L "./$1" ]; then printf L; exec readlink -n -- "./$1"; fi
if [ -f "./$1" ]; then printf F; exec head -c "$2" -- "./$1"; fi
exit 1`;
