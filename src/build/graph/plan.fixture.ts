import type { FilesOf, Graph, Node } from "./graph.ts";
import type { PlanRequest } from "./plan.ts";

/** A request that asks for nothing. */
export const plainPlan: PlanRequest = {
  args: {},
  labels: {},
  platform: { os: "linux", architecture: "amd64" },
  severalPlatforms: false,
  contexts: {},
  noCache: false,
  network: "default",
  entitlements: new Set(),
  slot: "test",
};

/** A graph as a value that a person can read and compare: nodes by number, inputs before those who need them. */
export function describeGraph({ steps, result, unusedArgs }: Graph): object {
  const numbers = new Map<Node, number>();
  const nodes: object[] = [];
  const numberOf = (node: Node): number => {
    const known = numbers.get(node);
    if (known !== undefined) return known;
    const described = describeNode(node, numberOf);
    numbers.set(node, nodes.length);
    nodes.push({ node: nodes.length, ...described });
    return nodes.length - 1;
  };
  const files = numberOf(result.files);
  return {
    nodes,
    steps: steps.map(({ name, node }) => (node === undefined ? name : `${name} => ${numberOf(node)}`)),
    result: { files, config: result.config, history: result.history.map(({ createdBy }) => createdBy) },
    ...(result.author !== undefined && { author: result.author }),
    ...(unusedArgs.length > 0 && { unusedArgs }),
  };
}

function describeNode(node: Node, numberOf: (node: Node) => number): object {
  const from = (files: FilesOf): string | number =>
    files.kind === "context" ? `context ${files.name}`.trim() : numberOf(files.node);
  const { step: _step, ...shown } = node;
  switch (shown.kind) {
    case "base":
      return { kind: "base", base: shown.base.kind === "scratch" ? "scratch" : shown.base.reference };
    case "workdir":
      return { ...shown, below: numberOf(shown.below) };
    case "run": {
      const mounts = shown.mounts.map(({ mount, from: files }) => ({
        ...mount,
        ...(files !== undefined && { from: from(files) }),
      }));
      const { platform: _platform, ...run } = shown;
      return { ...run, below: numberOf(shown.below), mounts };
    }
    case "copy": {
      const sources = shown.sources.map((source) =>
        source.kind === "paths" ? { ...source, from: from(source.from) } : source,
      );
      return { ...shown, below: numberOf(shown.below), sources };
    }
  }
}
