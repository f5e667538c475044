import { Fault } from "#core/fault";
import { digestOf } from "#core/digest";
import { parseReference, withDefaultTag } from "#core/reference";
import type { BuildRequest, CacheLocation } from "./build.ts";
import { cacheParts, defaultCacheName } from "./cache-parts.ts";
import { cacheDocuments } from "./cache/cache-document.ts";
import { CacheFolder } from "./cache/cache-folder.ts";
import { stepsTo } from "./cache/cache-steps.ts";
import type { InternalSteps } from "./internal-steps.ts";
import { pushDocument } from "./push-document.ts";
import type { Room } from "./room.ts";
import type { Solved } from "./solve-graphs.ts";

/** A place of `--cache-to` that can be written to. */
export interface CacheTarget {
  write(solved: readonly Solved[], internal: InternalSteps, signal: AbortSignal): Promise<void>;
}

/**
 * Looks at the places of `--cache-to` before anything is built: whoever asks for what cannot be is told at once. `inline` is the image's
 * business. Fault `invalid`.
 */
export async function openCacheTargets(
  room: Room,
  request: BuildRequest,
  held: AsyncDisposableStack,
): Promise<CacheTarget[]> {
  const targets: CacheTarget[] = [];
  for (const { type, options } of request.cacheTo) {
    if (type === "inline") continue;
    const mode = modeOf(options);
    targets.push(
      type === "registry"
        ? registryTarget(room, request, options, mode)
        : await folderTarget(room, options, mode, held),
    );
  }
  return targets;
}

type Mode = "min" | "max";

function modeOf({ mode = "min" }: CacheLocation["options"]): Mode {
  if (mode === "min" || mode === "max") return mode;
  throw new Fault("invalid", `invalid mode of a build cache: ${mode.slice(0, 100)}`, { remedy: "Use min or max." });
}

async function folderTarget(
  room: Room,
  { dest, destid, tag = defaultCacheName }: CacheLocation["options"],
  mode: Mode,
  held: AsyncDisposableStack,
): Promise<CacheTarget> {
  if (dest === undefined) throw new Fault("invalid", "a cache of type local needs its folder: dest=DIR");
  const folder = held.use(await CacheFolder.open(cacheParts(room), dest, destid));
  return {
    write: async (solved, internal, signal) =>
      await internal.run(
        digestOf(`export cache\0${dest}\0${tag}`),
        "exporting cache to client directory",
        async () => await folder.write(tag, cacheDocuments(stepsOf(solved, mode)), signal),
      ),
  };
}

function registryTarget(
  { images }: Room,
  { credentials }: BuildRequest,
  { ref }: CacheLocation["options"],
  mode: Mode,
): CacheTarget {
  if (ref === undefined) throw new Fault("invalid", "a cache of type registry needs its name: ref=NAME");
  const reference = withDefaultTag(parseReference(ref));
  return {
    async write(solved, internal, signal) {
      await using lease = images.layers.lease();
      const { manifest, config, layers } = cacheDocuments(stepsOf(solved, mode));
      for (const { blob } of layers) lease.protect(blob.digest);
      for (const { bytes, descriptor } of [config, manifest])
        await images.layers.putDocument(bytes, descriptor.mediaType, lease);
      const document = manifest.descriptor.digest;
      await pushDocument({ images, internal, credentials }, { reference, document }, "exporting cache to", signal);
    },
  };
}

/** `min`: the steps that the result stands on; `max`: all that were solved. */
function stepsOf(solved: readonly Solved[], mode: Mode) {
  return solved.flatMap(({ solve, graph }) =>
    mode === "max" ? solve.solvedSteps() : stepsTo(solve, graph.result.files),
  );
}
