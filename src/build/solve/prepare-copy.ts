import { digestOf, type Digest } from "#core/digest";
import { type Ingredient, Ingredients, sourcesLabel } from "../cache/ingredients.ts";
import type { Selected } from "../files/files.ts";
import type { CopyNode, Node, PlannedSource } from "../graph/graph.ts";
import type { CopySource } from "../steps/copy-layer.ts";
import { copyStep } from "../steps/copy.ts";
import { textItem } from "../steps/text-source.ts";
import { copyParts, type StepParts } from "./parts.ts";
import type { Files, Work } from "./work.ts";

/** COPY and ADD: what is chosen decides the key, and whether anything has to be copied. */
export async function prepareCopy(
  parts: StepParts,
  node: CopyNode,
  below: Digest | undefined,
  files: (node: Node) => Promise<Files>,
  signal: AbortSignal,
): Promise<Work> {
  const { epochSeconds } = parts.settings;
  const chosen = await Promise.all(
    node.sources.map(async (source) => await choose(parts, node, source, files, signal)),
  );
  const named = new Map(chosen.flatMap(({ parts }) => [...parts]));
  const list: Ingredient[] = [
    ["instruction", "copy"],
    // What is laid on nothing still takes its owners' names from below.
    ["what it stands on", node.link && node.chown === undefined ? "" : (below ?? "")],
    ["its target", JSON.stringify([node.target, node.link, node.parents, node.unpack])],
    ["--chown", node.chown ?? ""],
    ["--chmod", node.chmod ?? ""],
    ["SOURCE_DATE_EPOCH", String(epochSeconds ?? "")],
    ["the names of its sources", JSON.stringify(chosen.flatMap(({ names }) => names))],
    [sourcesLabel, digestOf(chosen.map(({ digest }) => digest).join(" "))],
  ];
  return {
    ingredients: new Ingredients(list, named),
    detached: node.link,
    run: async (_watcher, lease, signal) => {
      const latestNs = epochSeconds === undefined ? undefined : BigInt(epochSeconds) * 1_000_000_000n;
      return await copyStep(
        copyParts(parts),
        {
          sources: chosen.flatMap(({ sources }) => sources),
          target: node.target,
          link: node.link,
          below,
          timeNs: latestNs ?? parts.clock.now(),
          ...(latestNs !== undefined && { latestNs }),
          ...(node.chown !== undefined && { chown: node.chown }),
          ...(node.chmod !== undefined && { chmod: node.chmod }),
        },
        lease,
        signal,
      );
    },
  };
}

/** What one source stands for. */
interface Chosen {
  readonly sources: readonly CopySource[];
  readonly names: readonly string[];
  readonly digest: Digest;
  readonly parts: ReadonlyMap<string, string>;
}

async function choose(
  parts: StepParts,
  node: CopyNode,
  source: PlannedSource,
  files: (node: Node) => Promise<Files>,
  signal: AbortSignal,
): Promise<Chosen> {
  switch (source.kind) {
    case "text": {
      const item = textItem(source.name, source.text, 0n);
      return {
        sources: [{ item, unpack: false }],
        names: [item.name],
        digest: digestOf(source.text),
        parts: new Map(),
      };
    }
    case "paths": {
      const tree = await parts.tree(source.from, files);
      const { patterns } = source;
      const selected = await tree.select({ patterns, excludes: node.excludes, parents: node.parents }, signal);
      return await chosenOf(selected, node.unpack !== "no", signal);
    }
    case "url": {
      const tree = await parts.remote(source);
      const selected = await tree.select({ patterns: ["*"], excludes: [], parents: false }, signal);
      return await chosenOf(selected, node.unpack === "all", signal);
    }
    case "git": {
      const tree = await parts.remote(source);
      const selected = await tree.select({ patterns: ["."], excludes: node.excludes, parents: false }, signal);
      return await chosenOf(selected, false, signal);
    }
  }
}

async function chosenOf(selected: Selected, unpack: boolean, signal: AbortSignal): Promise<Chosen> {
  return {
    sources: selected.items.map((item) => ({ item, unpack })),
    names: selected.items.map(({ name }) => name),
    digest: await selected.digest(signal),
    parts: (await selected.parts(signal)) ?? new Map(),
  };
}
