import type { Digest } from "#core/digest";
import type { Node } from "../graph/graph.ts";
import type { StepParts } from "./parts.ts";
import { prepareCopy } from "./prepare-copy.ts";
import { prepareRun } from "./prepare-run.ts";
import { prepareWorkdir } from "./prepare-workdir.ts";
import type { WorkNode } from "./solve.ts";
import type { Files, Work } from "./work.ts";

/** What is to be done for a node on what is below; waits for what else the node needs. */
export async function prepare(
  parts: StepParts,
  node: WorkNode,
  below: Digest | undefined,
  files: (node: Node) => Promise<Files>,
  signal: AbortSignal,
): Promise<Work> {
  switch (node.kind) {
    case "run":
      return await prepareRun(parts, node, below, files, signal);
    case "copy":
      return await prepareCopy(parts, node, below, files, signal);
    case "workdir":
      return prepareWorkdir(parts, node, below);
  }
}
