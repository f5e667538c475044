import { rfc3339Nano } from "#core/clock";
import type { HistoryEntry, ImageConfig } from "#core/oci";
import type { Graph } from "./graph/graph.ts";

/** What is known of a graph once it is solved. */
export interface SolvedTimes {
  /** When the step's layer was made; undefined: it has none. */
  readonly layerNs: (step: number) => bigint | undefined;
  /** Of what has no layer before it. */
  readonly nowNs: bigint;
  readonly epochNs?: bigint;
  /** All layers above the base have become one, which the last step of the history has. */
  readonly isSquashed?: boolean;
}

/**
 * The config of the image that a graph makes. A step without a layer has the time of the one before it, so that building the
 * same thing again, from the cache, is the same image.
 */
export function imageConfig(
  { platform, result }: Graph,
  base: ImageConfig | undefined,
  times: SolvedTimes,
): Omit<ImageConfig, "rootfs"> {
  const { os, architecture, variant } = base ?? platform;
  let createdNs: bigint | undefined;
  const steps = result.history.map(({ createdBy }, index): HistoryEntry => {
    const layerNs = times.layerNs(index);
    createdNs = layerNs ?? createdNs;
    return {
      created: timeText(times, base, createdNs),
      created_by: createdBy,
      comment: historyComment,
      ...((layerNs === undefined || times.isSquashed === true) && { empty_layer: true }),
    };
  });
  const joined: HistoryEntry[] =
    times.isSquashed === true ? [{ created: timeText(times, base, createdNs), comment: "merge of all steps" }] : [];
  return {
    architecture,
    os,
    ...(variant !== undefined && { variant }),
    ...(base?.["os.version"] !== undefined && { "os.version": base["os.version"] }),
    created: timeText(times, base, createdNs),
    ...(result.author !== undefined && { author: result.author }),
    config: result.config,
    history: [...(base?.history ?? []), ...steps, ...joined],
  };
}

/** By this, tools know how to read the history. */
const historyComment = "buildkit.dockerfile.v0";

function timeText({ epochNs, nowNs }: SolvedTimes, base: ImageConfig | undefined, madeNs: bigint | undefined): string {
  if (epochNs !== undefined) return rfc3339Nano(epochNs);
  return madeNs === undefined ? (base?.created ?? rfc3339Nano(nowNs)) : rfc3339Nano(madeNs);
}
