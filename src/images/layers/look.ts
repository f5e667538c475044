import { resolve } from "node:path/posix";
import { Fault } from "#core/fault";
import type { Shim } from "#host";
import type { LookedUp } from "../layers.ts";
import type { ShownRoot } from "../root-file.ts";

const typeBits = 0o170000;
const kinds: ReadonlyMap<number, LookedUp["kind"]> = new Map([
  [0o040000, "directory"],
  [0o100000, "file"],
]);
const noEntry = 2;
const notFolder = 20;

/** What a path leads to in a tree that mounts make, which is the looker's root; undefined when that is nothing. Fault `invalid` for too many symlinks. */
export async function lookInStack(shim: Shim, root: ShownRoot, path: string): Promise<LookedUp | undefined> {
  const end = await shim.runToEnd({
    argv: [resolve("/", path)],
    builtin: "look",
    mounts: root.mounts,
    tree: root.target,
    timeLimitMs: 10_000,
  });
  if (end.code !== 0) throw new Fault("internal", `cannot look at ${path} in a stack of layers`);
  const fields = Buffer.from(end.stdout).toString().split("\0");
  const error = Number(fields[0]);
  if (error === noEntry || error === notFolder) return undefined;
  if (error !== 0) throw new Fault("invalid", `cannot follow ${path.slice(0, 200)}: error ${error}`);
  const mode = Number(fields[5]);
  if (mode === 0) return undefined; // a symlink to nothing
  return {
    path: fields[11] ?? "/",
    kind: kinds.get(mode & typeBits) ?? "other",
    mode: mode & 0o7777,
    uid: Number(fields[9]),
    gid: Number(fields[10]),
  };
}
