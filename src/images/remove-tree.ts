import { rmdirSync } from "node:fs";
import { Fault } from "#core/fault";
import type { Shim } from "#host";

/** Removes a folder and all in it, however deep a container has made it; quiet when there is none. */
export async function removeTree(shim: Shim, path: string): Promise<void> {
  if (removeEmpty(path)) return;
  const removed = await shim.runToEnd({ argv: ["rm", "-rf", "--one-file-system", "--", path], env: { LC_ALL: "C" } });
  if (removed.code !== 0) {
    throw new Fault("internal", `cannot remove ${path}: ${removed.stderr.trim().slice(0, 500)}`, {
      remedy: "Something may have made its files immutable (chattr -i) or mounted over them.",
    });
  }
}

/** Removes a folder that is empty; whether it is gone. */
export function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return true;
    if (code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR" || code === "EBUSY") return false;
    throw error;
  }
}
