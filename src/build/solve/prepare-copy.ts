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
  const list: Ingredient[] = [
    ["instruction", "copy"],
    // What is laid on nothing still takes its owners' names from below.
    ["what it stands on", node.link && node.chown === undefined ? "" : (below ?? "")],
    ["its target", JSON.stringify([node.target, node.link, node.parents, node.unpack])],
    ["--chown", node.chown ?? ""],
    ["--chmod", node.chmod ?? ""],
    ["SOURCE_DATE_EPOCH", String(epochSeconds ?? "")],
    ["the names of its sources", JSON.stringify(chosen.flatMap(({ names }) => names))],
  ];
  return {
    outline: new Ingredients(list).key,
    ingredients: async (signal) => {
      const read = await Promise.all(chosen.map(async ({ read }) => await read(signal)));
      const digest = digestOf(read.map(({ digest }) => digest).join(" "));
      const named = new Map<string, string>();
      for (const { files } of read) for (const [path, part] of files) named.set(path, part);
      return new Ingredients([...list, [sourcesLabel, digest]], named);
    },
    detached: node.link,
    run: async (_watcher, lease, signal) => {
      const latestNs = epochSeconds === undefined ? undefined : BigInt(epochSeconds) * 1_000_000_000n;
      const sources = await Promise.all(chosen.map(async ({ sources }) => await sources(signal)));
      return await copyStep(
        copyParts(parts),
        {
          sources: sources.flat(),
          target: node.target,
          link: node.link,
          below,
          // Not the clock's: what is copied twice is the same twice.
          timeNs: latestNs ?? 0n,
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
  readonly sources: (signal: AbortSignal) => Promise<readonly CopySource[]>;
  readonly names: readonly string[];
  /** Of all that is in it, and which file is which. */
  readonly read: (
    signal: AbortSignal,
  ) => Promise<{ readonly digest: Digest; readonly files: ReadonlyMap<string, string> }>;
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
      const read = { digest: digestOf(source.text), files: new Map<string, string>() };
      return {
        sources: async () => await Promise.resolve([{ item, unpack: false }]),
        names: [item.name],
        read: async () => await Promise.resolve(read),
      };
    }
    case "paths": {
      const selection = { patterns: source.patterns, excludes: node.excludes, parents: node.parents };
      const select = async (signal: AbortSignal): Promise<Selected> =>
        await (await parts.tree(source.from, files)).select(selection, signal);
      if (source.from.kind === "node")
        return await chosenOfStack(parts, (await files(source.from.node)).stack, selection, select, signal);
      return chosenOf(await select(signal), node.unpack !== "no");
    }
    case "url": {
      const tree = await parts.remote(source);
      const selected = await tree.select({ patterns: ["*"], excludes: [], parents: false }, signal);
      return chosenOf(selected, node.unpack === "all");
    }
    case "git": {
      const tree = await parts.remote(source);
      const selected = await tree.select({ patterns: ["."], excludes: node.excludes, parents: false }, signal);
      return chosenOf(selected, false);
    }
  }
}

/** Of a stage or image: what is remembered of its files is as good as they are, until they are to be copied. */
async function chosenOfStack(
  { selections }: StepParts,
  stack: Digest | undefined,
  selection: object,
  select: (signal: AbortSignal) => Promise<Selected>,
  signal: AbortSignal,
): Promise<Chosen> {
  const known = selections.get(stack, selection);
  if (known === undefined) {
    const chosen = chosenOf(await select(signal), false);
    return {
      ...chosen,
      read: async (signal) => {
        const read = await chosen.read(signal);
        selections.put(stack, selection, { names: chosen.names, digest: read.digest });
        return read;
      },
    };
  }
  return {
    names: known.names,
    sources: async (signal) => await chosenOf(await select(signal), false).sources(signal),
    read: async () => await Promise.resolve({ digest: known.digest, files: new Map() }),
  };
}

function chosenOf(selected: Selected, unpack: boolean): Chosen {
  return {
    sources: async () => await Promise.resolve(selected.items.map((item) => ({ item, unpack }))),
    names: selected.items.map(({ name }) => name),
    read: async (signal) => ({
      digest: await selected.digest(signal),
      files: (await selected.parts(signal)) ?? new Map(),
    }),
  };
}
