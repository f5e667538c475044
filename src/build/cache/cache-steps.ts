import { type Digest, isDigest } from "#core/digest";
import type { StackLayer } from "#images";
import type { Node } from "../graph/graph.ts";
import type { Solve, SolvedStep } from "../solve/solve.ts";

/** A step as a cache tells of it. What it stands on is not said: the key is the digest of that, too. */
export interface CacheStep {
  readonly key: Digest;
  /** Of the cache's layers; absent: it changed no file. */
  readonly layer?: number;
  /** Decimal nanoseconds since 1970. */
  readonly created: string;
}

/** Reads a list of steps; those that are none are left out, and those of layers beyond `layers`. */
export function parseCacheSteps(list: unknown, layers: number, mostSteps: number): CacheStep[] {
  if (!Array.isArray(list)) return [];
  return (list as readonly unknown[]).slice(0, mostSteps).flatMap((item) => parseCacheStep(item, layers) ?? []);
}

function parseCacheStep(item: unknown, layers: number): CacheStep | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { key, layer, created } = item as Readonly<Record<string, unknown>>;
  if (typeof key !== "string" || !isDigest(key)) return undefined;
  if (typeof created !== "string" || !/^\d{1,19}$/.test(created)) return undefined;
  if (layer === undefined) return { key, created };
  if (typeof layer !== "number" || !Number.isInteger(layer) || layer < 0 || layer >= layers) return undefined;
  return { key, created, layer };
}

/** The steps from the base to a result, in that order. */
export function stepsTo(solve: Solve, result: Node): SolvedStep[] {
  const steps: SolvedStep[] = [];
  for (let node = result; node.kind !== "base"; node = node.below) {
    const solved = solve.solvedStep(node);
    if (solved === undefined) throw new Error("a step that was not solved");
    steps.push(solved);
  }
  return steps.reverse();
}

/** Steps as they are told, with their layers by place in `layers`. */
export function toldSteps(steps: readonly SolvedStep[], layers: readonly StackLayer[]): CacheStep[] {
  const places = new Map(layers.map(({ diffId }, index) => [diffId, index]));
  return steps.flatMap(({ key, createdNs, layer }) => {
    const place = layer === undefined ? undefined : places.get(layer.diffId);
    // A step whose layer is not among them (it was squashed) cannot be had from there.
    if (layer !== undefined && place === undefined) return [];
    return [{ key, created: String(createdNs), ...(place !== undefined && { layer: place }) }];
  });
}
