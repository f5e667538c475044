import type { Finding } from "../images.ts";
import type { CheckOptions, CheckParts } from "./check.ts";

/** Holds of containers that are no more: their roots keep images and layers for nobody. */
export async function* checkRoots(
  { roots, keeper }: Pick<CheckParts, "roots" | "keeper">,
  { repair, isContainer }: CheckOptions,
): AsyncGenerator<Finding, void, void> {
  for (const container of roots.settled()) {
    if (isContainer(container)) continue;
    if (repair) {
      await roots.drop(container);
      await keeper.collectLayers();
    }
    const text = `the writable layer and the hold of ${container} belong to no container`;
    yield { kind: "stray root", subject: container, text, outcome: repair ? "repaired" : "repairable" };
  }
}
