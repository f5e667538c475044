import type { Volume } from "./volumes.ts";

/** The label of volumes that nobody gave a name. */
export const anonymousLabel = "com.docker.volume.anonymous";

/** Whether nobody gave it a name. */
export function isAnonymous({ labels }: Pick<Volume, "labels">): boolean {
  return Object.hasOwn(labels, anonymousLabel);
}
