import type { Digest } from "#core/digest";
import type { Lease } from "#images";
import { Ingredients, sourcesLabel } from "../cache/ingredients.ts";
import type { FileTree } from "../files/files.ts";
import { copyStep } from "../steps/copy.ts";
import { copyParts, type StepParts } from "./parts.ts";

/** Files of a context as a stack of layers of their own, so that they can be mounted without what is ignored. */
export interface ContextStack {
  readonly digest: Digest;
  readonly files: ReadonlyMap<string, string>;
  readonly stack: (
    lease: Lease,
    signal: AbortSignal,
  ) => Promise<{ readonly stack: Digest | undefined; readonly subpath: string }>;
}

/** Chooses a path of a context; it is made a layer when somebody mounts it, once for each content. */
export async function contextStack(
  parts: StepParts,
  tree: FileTree,
  source: string,
  signal: AbortSignal,
): Promise<ContextStack> {
  const selected = await tree.select(
    { patterns: [source === "" ? "." : source], excludes: [], parents: false },
    signal,
  );
  const digest = await selected.digest(signal);
  const [item] = selected.items;
  const subpath = item === undefined || item.kind === "directory" ? "/" : `/${item.name}`;
  return {
    digest,
    files: (await selected.parts(signal)) ?? new Map(),
    stack: async (lease, signal) => {
      const { key } = new Ingredients([
        ["instruction", "context"],
        ["name", subpath],
        [sourcesLabel, digest],
      ]);
      const known = parts.results.take(key);
      if (known !== undefined) {
        if (known.stack !== undefined) lease.protectLayer(known.stack);
        return { stack: known.stack, subpath };
      }
      const order = { below: undefined, target: "/", link: false, timeNs: 0n };
      const sources = selected.items.map((item) => ({ item, unpack: false }));
      const made = await copyStep(copyParts(parts), { ...order, sources }, lease, signal);
      parts.results.add({
        key,
        below: undefined,
        stack: made?.stack,
        ...(made !== undefined && { layer: made.layer }),
        description: `files of the context: ${source || "."}`,
      });
      return { stack: made?.stack, subpath };
    },
  };
}
