import { join } from "node:path";
import type { MountOp } from "#host";
import type { VolumeSource } from "./volumes.ts";

/** In the image of a bounded volume: beside `lost+found`, which is nobody's data. */
export const dataFolder = "_data";

/** Mounts a bounded volume at a folder that is there; its data is at the path then. */
export function diskAt(
  { image }: Extract<VolumeSource, { kind: "disk" }>,
  target: string,
): { readonly op: MountOp; readonly path: string } {
  return { op: { op: "disk", image, target }, path: join(target, dataFolder) };
}
