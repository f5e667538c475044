import { type Digest, isDigest } from "#core/digest";
import type { ImageConfig } from "#core/oci";
import { chainIdsOf, type StackLayer } from "#images";
import type { Node } from "../graph/graph.ts";
import type { Solve } from "../solve/solve.ts";

/** Where an image's config tells which steps made its layers (`--cache-to type=inline`). */
export const inlineCacheField = "io.slipway.cache.v1";

/** A step whose layer an image has. */
export interface InlineStep {
  readonly key: Digest;
  /** Of the layers, base first; absent: it changed no file. */
  readonly layer?: number;
  /** Decimal nanoseconds since 1970. */
  readonly created: string;
}

/** A result that came with an image: good for the build that asked for it, and for no other. */
export interface ImportedResult {
  readonly layer?: StackLayer;
  /** With what is below it in the image. */
  readonly stack: Digest | undefined;
  readonly createdNs: bigint;
}

const mostSteps = 2000;

/** Reads what an image says of its steps; nothing where it says nothing, or nonsense. */
export function importInline(config: ImageConfig, layers: readonly StackLayer[]): Map<Digest, ImportedResult> {
  const imported = new Map<Digest, ImportedResult>();
  const chain = chainIdsOf(config.rootfs.diff_ids);
  const list: unknown = config[inlineCacheField];
  if (!Array.isArray(list)) return imported;
  for (const item of list.slice(0, mostSteps) as readonly unknown[]) {
    const step = stepOf(item);
    if (step === undefined) continue;
    const { key, layer: index, created } = step;
    const layer = index === undefined ? undefined : layers[index];
    if (index !== undefined && layer === undefined) continue;
    const stack = index === undefined ? undefined : chain[index];
    imported.set(key, { stack, createdNs: BigInt(created), ...(layer !== undefined && { layer }) });
  }
  return imported;
}

function stepOf(item: unknown): InlineStep | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { key, layer, created } = item as Readonly<Record<string, unknown>>;
  if (typeof key !== "string" || !isDigest(key)) return undefined;
  if (typeof created !== "string" || !/^\d{1,19}$/.test(created)) return undefined;
  if (layer !== undefined && !Number.isSafeInteger(layer)) return undefined;
  return { key, created, ...(typeof layer === "number" && { layer }) };
}

/** The steps from the base to the result, with the layers that they made. */
export async function inlineSteps(solve: Solve, result: Node): Promise<InlineStep[]> {
  const steps: InlineStep[] = [];
  for (let node = result; node.kind !== "base"; node = node.below) {
    const solved = solve.keyOf(node);
    if (solved === undefined) throw new Error("a step that was not solved");
    const { layers } = await solve.files(node);
    const madeLayer = layers.length > (await solve.files(node.below)).layers.length;
    steps.push({ key: solved.key, created: String(solved.createdNs), ...(madeLayer && { layer: layers.length - 1 }) });
  }
  return steps.reverse();
}
