import { join } from "node:path";
import type { Paths } from "#host";

/** An empty folder on which passing programs see a container's tree, each in mounts of its own. */
export function viewFolder(paths: Paths): string {
  return join(paths.execRoot, "view");
}

/** Another, for what such a program needs besides. */
export function scratchFolder(paths: Paths): string {
  return join(paths.execRoot, "view-scratch");
}
