import type { Digest } from "#core/digest";
import type { Descriptor } from "#core/oci";
import { familiar } from "#core/reference";
import type { Lease } from "#images";
import type { BuildRequest, BuildResult } from "./build.ts";
import { inlineCacheField, type InlineStep } from "./cache/inline-cache.ts";
import type { Node } from "./graph/graph.ts";
import { imageConfig } from "./image-config.ts";
import type { ResolvedImages } from "./resolve-images.ts";
import type { Room } from "./room.ts";
import type { Solved } from "./solve-graphs.ts";
import { stepSettings } from "./step-settings.ts";

/** What was solved, and what it is to become. */
export interface Storing {
  readonly buildId: string;
  readonly request: BuildRequest;
  readonly lease: Lease;
  readonly solved: readonly Solved[];
  readonly images: ResolvedImages;
}

/** Makes the images, one for each platform, under the request's tags. */
export async function storeImages(
  room: Room,
  { buildId, request, lease, solved, images }: Storing,
  signal: AbortSignal,
): Promise<BuildResult> {
  const { epochSeconds } = stepSettings(request);
  const isInline = request.cacheTo.some(({ type }) => type === "inline");
  const stored: { readonly id: Digest; readonly manifest: Descriptor }[] = [];
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
    const made = isInline ? { ...config, [inlineCacheField]: await inlineSteps(solve, files) } : config;
    stored.push(await room.images.layers.assemble({ config: made, layers, tags: request.tags }, lease));
  }
  const [first] = stored;
  const tags = request.tags.map((tag) => familiar(tag));
  if (first === undefined) throw new Error("a build of no platform");
  return { buildId, tags, metadata: {}, imageId: first.id, digest: first.manifest.digest };
}

/** The steps from the base to the result, with the layers that they made. */
async function inlineSteps(solve: Solved["solve"], result: Node): Promise<InlineStep[]> {
  const steps: InlineStep[] = [];
  for (let node = result; node.kind !== "base"; node = node.below) {
    const solved = solve.keyOf(node);
    if (solved === undefined) throw new Error("a step that was not solved");
    const { layers } = await solve.files(node);
    const madeLayer = layers.length > (await solve.files(node.below)).layers.length;
    const { key, createdNs } = solved;
    steps.push({ key, created: String(createdNs), ...(madeLayer && { layer: layers.length - 1 }) });
  }
  return steps.reverse();
}
