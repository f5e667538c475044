import type { Digest } from "#core/digest";
import { Ingredients } from "../cache/ingredients.ts";
import type { WorkdirNode } from "../graph/graph.ts";
import { workdirStep } from "../steps/copy.ts";
import { copyParts, type StepParts } from "./parts.ts";
import type { Work } from "./work.ts";

/** WORKDIR: a folder, unless it is there. */
export function prepareWorkdir(parts: StepParts, node: WorkdirNode, below: Digest | undefined): Work {
  const { epochSeconds } = parts.settings;
  return {
    ingredients: new Ingredients([
      ["instruction", "workdir"],
      ["what it stands on", below ?? ""],
      ["its path", node.path],
      ["USER", node.user],
      ["SOURCE_DATE_EPOCH", String(epochSeconds ?? "")],
    ]),
    detached: false,
    run: async (_watcher, lease, signal) =>
      await workdirStep(
        copyParts(parts),
        {
          below,
          path: node.path,
          user: node.user,
          timeNs: epochSeconds === undefined ? parts.clock.now() : BigInt(epochSeconds) * 1_000_000_000n,
        },
        lease,
        signal,
      ),
  };
}
