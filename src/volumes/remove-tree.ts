import { Fault } from "#core/fault";
import type { Shim } from "#host";

/** Removes a folder and all in it, whatever containers have made of it; quiet when there is none. */
export async function removeTree(shim: Shim, path: string): Promise<void> {
  const removed = await shim.runToEnd({ argv: ["rm", "-rf", "--one-file-system", "--", path], env: { LC_ALL: "C" } });
  if (removed.code === 0) return;
  throw new Fault("internal", `cannot remove ${path}: ${removed.stderr.trim().slice(0, 500)}`, {
    remedy: "Something may have made its files immutable (chattr -i) or mounted over them.",
  });
}
