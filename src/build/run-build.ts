import type { Dockerfile } from "#core/dockerfile/dockerfile";
import { lintFault } from "#core/dockerfile/lint/lint";
import { nativePlatform, type Platform } from "#core/oci";
import type { BuildRequest, BuildResult, Step } from "./build.ts";
import { openCacheTargets } from "./export-caches.ts";
import { importCaches } from "./import-caches.ts";
import { planWithImages } from "./build-graph.ts";
import type { EventQueue } from "./events.ts";
import type { Graph, PlannedStep } from "./graph/graph.ts";
import type { PlanRequest } from "./graph/plan.ts";
import { lintBuild } from "./lint-build.ts";
import { InternalSteps } from "./internal-steps.ts";
import { readDockerfile } from "./read-dockerfile.ts";
import { ResolvedImages } from "./resolve-images.ts";
import type { Room } from "./room.ts";
import type { StepSettings } from "./solve/parts.ts";
import { solveGraphs } from "./solve-graphs.ts";
import { stepSettings } from "./step-settings.ts";
import { storeImages } from "./store-images.ts";
import { Trees } from "./files/trees.ts";

/** One build, from its request to its result; what happens is told to `events`. */
export async function runBuild(
  room: Room,
  buildId: string,
  request: BuildRequest,
  events: EventQueue,
  signal: AbortSignal,
): Promise<BuildResult> {
  const startedNs = room.clock.now();
  const internal = new InternalSteps(room.clock, (event) => events.tell(event));
  await using trees = new Trees(room, request, signal);
  await using lease = room.images.layers.lease();
  await using held = new AsyncDisposableStack();
  const cacheTargets = await openCacheTargets(room, request, held);
  const read = await readDockerfile(trees, request, internal, signal);
  const { dockerfile, slot } = read;
  const images = new ResolvedImages({
    images: room.images,
    internal,
    credentials: request.credentials,
    pull: request.pull,
  });
  const graphs = request.checkOnly ? [] : await planAll(dockerfile, request, slot, images, signal);
  const warnings = lintBuild(read, request, images);
  for (const warning of warnings) events.tell({ kind: "warning", warning });
  const fault = lintFault(dockerfile, warnings);
  if (fault !== undefined) throw fault;
  if (request.checkOnly) return { buildId, tags: [], metadata: {} };
  for (const name of new Set(graphs.flatMap(({ unusedArgs }) => unusedArgs))) {
    const message = `[Warning] One or more build-args [${name}] were not consumed`;
    events.tell({ kind: "warning", warning: { rule: "UnusedBuildArg", description: "", url: "", message } });
  }
  events.tell({ kind: "plan", steps: graphs.flatMap((graph) => graph.steps.map((step) => shownStep(step))) });
  const settings = stepSettings(request);
  const imported = await importCaches(room, { request, images, events, held }, signal);
  const solved = await solveGraphs(
    room,
    { buildId, request, settings, trees, lease, events, graphs, imported },
    signal,
  );
  signal.throwIfAborted();
  const result = await storeImages(
    room,
    { buildId, request, lease, solved, images, read, startedNs, internal, ...epochOf(settings) },
    signal,
  );
  for (const target of cacheTargets) await target.write(solved, internal, signal);
  return result;
}

function epochOf({ epochSeconds }: StepSettings): { readonly epochNs?: bigint } {
  return epochSeconds === undefined ? {} : { epochNs: BigInt(epochSeconds) * 1_000_000_000n };
}

async function planAll(
  dockerfile: Dockerfile,
  request: BuildRequest,
  slot: string,
  images: ResolvedImages,
  signal: AbortSignal,
): Promise<Graph[]> {
  const platforms = request.platforms.length === 0 ? [nativePlatform()] : request.platforms;
  const graphs = await Promise.all(
    platforms.map(async (platform) => {
      const plan = planRequest(request, platform, platforms.length > 1, slot);
      return await planWithImages(dockerfile, plan, images, signal);
    }),
  );
  return graphs.map((graph, index) => {
    const before = graphs.slice(0, index).reduce((sum, { steps }) => sum + steps.length, 0);
    return numberedFrom(graph, before);
  });
}

/** The steps of several platforms are counted through. */
function numberedFrom(graph: Graph, before: number): Graph {
  const steps = graph.steps.map((step) => Object.assign({}, step, { number: before + step.number }));
  return { ...graph, steps };
}

function planRequest(request: BuildRequest, platform: Platform, severalPlatforms: boolean, slot: string): PlanRequest {
  const { target, args, labels, noCache, network, entitlements } = request;
  const contexts = Object.entries(request.contexts).map(
    ([name, context]) => [name, context.kind === "image" ? context : ({ kind: "files" } as const)] as const,
  );
  return {
    ...(target !== undefined && { target }),
    args,
    labels,
    platform,
    severalPlatforms,
    contexts: Object.fromEntries(contexts),
    noCache,
    network,
    entitlements,
    slot,
  };
}

function shownStep({ id, name, number, stage, instruction, span, previous, node }: PlannedStep): Step {
  return {
    id,
    name,
    number,
    stage,
    instruction,
    inputs: previous === undefined ? [] : [previous],
    ...(span !== undefined && { span }),
    // A stage's beginning is shown, though what it begins with is there already.
    ...(node === undefined && !/^from\s/i.test(instruction) && { isMetadata: true as const }),
  };
}
