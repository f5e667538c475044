import type { Dockerfile } from "#core/dockerfile/dockerfile";
import type { Digest } from "#core/digest";
import { lintFault } from "#core/dockerfile/lint/lint";
import { linkedAbort } from "#core/linked-abort";
import { nativePlatform, type Platform } from "#core/oci";
import { familiar } from "#core/reference";
import type { Lease } from "#images";
import type { BuildRequest, BuildResult, Step } from "./build.ts";
import { planWithImages } from "./build-graph.ts";
import type { EventQueue } from "./events.ts";
import type { Graph, PlannedStep } from "./graph/graph.ts";
import type { PlanRequest } from "./graph/plan.ts";
import { imageConfig } from "./image-config.ts";
import { lintBuild } from "./lint-build.ts";
import { InternalSteps } from "./internal-steps.ts";
import { readDockerfile } from "./read-dockerfile.ts";
import { ResolvedImages } from "./resolve-images.ts";
import type { Room } from "./room.ts";
import type { StepParts } from "./solve/parts.ts";
import { prepare } from "./solve/prepare.ts";
import { Solve } from "./solve/solve.ts";
import { stepSettings } from "./step-settings.ts";
import { Trees } from "./files/trees.ts";

/** One build, from its request to its result; what happens is told to `events`. */
export async function runBuild(
  room: Room,
  buildId: string,
  request: BuildRequest,
  events: EventQueue,
  signal: AbortSignal,
): Promise<BuildResult> {
  const internal = new InternalSteps(room.clock, (event) => events.tell(event));
  await using trees = new Trees(room, request, signal);
  await using lease = room.images.layers.lease();
  const read = await readDockerfile(trees, request, internal, signal);
  const { dockerfile, slot } = read;
  const images = new ResolvedImages({ images: room.images, internal, credentials: request.credentials, pull: request.pull });
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
  const solved = await solveAll(room, { buildId, request, trees, lease, events, graphs }, signal);
  signal.throwIfAborted();
  return await store(room, { buildId, request, lease, solved, images }, signal);
}

async function planAll(
  dockerfile: Dockerfile,
  request: BuildRequest,
  slot: string,
  images: ResolvedImages,
  signal: AbortSignal,
): Promise<Graph[]> {
  const platforms = request.platforms.length === 0 ? [nativePlatform()] : request.platforms;
  return await Promise.all(
    platforms.map(async (platform) => {
      const plan = planRequest(request, platform, platforms.length > 1, slot);
      return await planWithImages(dockerfile, plan, images, signal);
    }),
  );
}

function planRequest(
  request: BuildRequest,
  platform: Platform,
  severalPlatforms: boolean,
  slot: string,
): PlanRequest {
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

interface Solving {
  readonly buildId: string;
  readonly request: BuildRequest;
  readonly trees: Trees;
  readonly lease: Lease;
  readonly events: EventQueue;
  readonly graphs: readonly Graph[];
}

interface Solved {
  readonly graph: Graph;
  readonly solve: Solve;
}

/** All graphs together; the first failure ends the others, and nothing runs any more when this throws. */
async function solveAll(room: Room, solving: Solving, signal: AbortSignal): Promise<Solved[]> {
  const { buildId, request, trees, lease, events, graphs } = solving;
  using abort = linkedAbort(signal);
  const parts: StepParts = {
    ...room,
    settings: stepSettings(request),
    tree: async (from, files) => await trees.of(from, files),
    remote: async (source) => await trees.remote(source),
  };
  const solves = graphs.map((graph): Solved => ({
    graph,
    solve: new Solve(
      room,
      {
        buildId,
        graph,
        lease,
        events,
        explain: request.explain,
        prepare: async (node, below, files) => await prepare(parts, node, below, files, abort.signal),
      },
      abort.signal,
    ),
  }));
  try {
    await Promise.all(solves.map(async ({ graph, solve }) => await solve.files(graph.result.files)));
  } catch (error) {
    abort.abort(error);
    throw error;
  } finally {
    await Promise.all(solves.map(async ({ solve }) => await solve.idle()));
  }
  return solves;
}

interface Storing {
  readonly buildId: string;
  readonly request: BuildRequest;
  readonly lease: Lease;
  readonly solved: readonly Solved[];
  readonly images: ResolvedImages;
}

async function store(room: Room, { buildId, request, lease, solved, images }: Storing, signal: AbortSignal): Promise<BuildResult> {
  const { epochSeconds } = stepSettings(request);
  const stored: { readonly id: Digest; readonly digest: Digest }[] = [];
  for (const { graph, solve } of solved) {
    signal.throwIfAborted();
    const { base, files, history } = graph.result;
    const { layers } = await solve.files(files);
    const config = imageConfig(graph, base.kind === "scratch" ? undefined : images.configOf(base.id), {
      layerNs: (index) => {
        const node = history[index]?.node;
        return node === undefined ? undefined : solve.layerNs(node);
      },
      nowNs: room.clock.now(),
      ...(epochSeconds !== undefined && { epochSeconds }),
    });
    const { id, manifest } = await room.images.layers.assemble({ config, layers, tags: request.tags }, lease);
    stored.push({ id, digest: manifest.digest });
  }
  const [first] = stored;
  const tags = request.tags.map((tag) => familiar(tag));
  return { buildId, tags, metadata: {}, ...(first !== undefined && { imageId: first.id, digest: first.digest }) };
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
    ...(node === undefined && { isMetadata: true as const }),
  };
}
