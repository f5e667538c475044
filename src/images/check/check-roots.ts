import type { Finding } from "../images.ts";
import type { CheckOptions, CheckParts } from "./check.ts";

/** Holds of containers that are no more: they keep images and layers for nobody. What was written there may be somebody's: only the daemon's start, which knows all containers, takes them. */
export function* checkRoots(
  { roots }: Pick<CheckParts, "roots">,
  { isContainer }: Pick<CheckOptions, "isContainer">,
): Generator<Finding, void, void> {
  for (const container of roots.settled()) {
    if (isContainer(container)) continue;
    const text = `the writable layer and the hold of ${container} belong to no container`;
    const remedy = "The next start of the daemon removes them.";
    yield { kind: "stray root", subject: container, text, outcome: "left", remedy };
  }
}
