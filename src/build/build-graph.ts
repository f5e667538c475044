import { Fault } from "#core/fault";
import type { Dockerfile } from "#core/dockerfile/dockerfile";
import type { Graph } from "./graph/graph.ts";
import { plan, type PlanRequest } from "./graph/plan.ts";
import type { ResolvedImages } from "./resolve-images.ts";

/** Plans a build, finding the images that it stands on as they come to light. */
export async function planWithImages(
  dockerfile: Dockerfile,
  request: PlanRequest,
  images: ResolvedImages,
  signal: AbortSignal,
): Promise<Graph> {
  for (let round = 0; round < mostRounds; round++) {
    const planned = plan(dockerfile, request, images.known);
    if ("graph" in planned) return planned.graph;
    await images.resolve(planned.wanted, signal);
  }
  throw new Fault("invalid", "the triggers (ONBUILD) of the base images never come to an end");
}

/** Triggers of triggers of …: no image has this many. */
const mostRounds = 50;
