import { apiVersion, type ApiVersion, type DiskUsageAnswer, type VolumeAnswer } from "#api/wire";
import { Fault } from "#core/fault";
import type { VolumeUsage } from "#volumes";
import { buildCacheEntry } from "../answers/build-answer.ts";
import { containerSummary } from "../answers/container-summary.ts";
import { imageSummary } from "../answers/image-answer.ts";
import { volumeAnswer } from "../answers/volume-answer.ts";
import type { Answer } from "../http/answer.ts";
import { imageCounts } from "../image-counts.ts";
import { shownImageNames } from "../shown-image-names.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";

/** `docker system df`. */
export function diskUsageRoutes(options: ServerOptions): Route[] {
  return [route("GET /system/df", (request) => diskUsage(options, request))];
}

const types = ["container", "image", "volume", "build-cache"] as const;
type UsageType = (typeof types)[number];

/** What was not asked for is null. */
async function diskUsage(options: ServerOptions, { query, version }: ApiRequest): Promise<Answer> {
  const wanted = wantedTypes(query.texts("type"), version);
  const records = wanted.has("build-cache") ? ((await options.builder?.usage()) ?? []) : undefined;
  const cache = records?.map((record) => buildCacheEntry(record, version)) ?? null;
  // What images have too is counted with them.
  const cacheBytes = (records ?? []).reduce((sum, { sizeBytes, shared }) => sum + (shared ? 0 : sizeBytes), 0);
  const value: DiskUsageAnswer = {
    LayersSize: wanted.has("image") ? options.images.layerUse().layersBytes : 0,
    Images: wanted.has("image") ? imagesUsage(options, version) : null,
    Containers: wanted.has("container") ? await containersUsage(options, version) : null,
    Volumes: wanted.has("volume") ? await volumesUsage(options) : null,
    BuildCache: cache,
    ...(version < apiVersion("1.42") && { BuilderSize: cacheBytes }),
  };
  return { kind: "json", status: 200, value };
}

/** Versions before 1.42 leave the parameter unread. */
function wantedTypes(asked: readonly string[], version: ApiVersion): ReadonlySet<UsageType> {
  if (asked.length === 0 || version < apiVersion("1.42")) return new Set(types);
  const wanted = asked.map((text) => {
    const type = types.find((known) => known === text);
    if (type === undefined) throw new Fault("invalid", `unknown object type: ${text.slice(0, 60)}`);
    return type;
  });
  return new Set(wanted);
}

function imagesUsage({ images, containers }: ServerOptions, version: ApiVersion): DiskUsageAnswer["Images"] {
  const list = images.list({ all: false, filters: {} });
  const countsOf = imageCounts(containers.list({ all: true, filters: {} }), images);
  return list.map((image) => imageSummary(image, version, countsOf(image)));
}

async function containersUsage(options: ServerOptions, version: ApiVersion): Promise<DiskUsageAnswer["Containers"]> {
  const { images, containers, networks, host } = options;
  const listed = containers.list({ all: true, filters: {} });
  const sizesOf = await containers.sizes(listed.map(({ id }) => id));
  const imageNameOf = shownImageNames(images);
  const shared = { networks: networks.list(), version, nowNs: host.clock.now() };
  return listed.flatMap((container) => {
    const sizes = sizesOf.get(container.id);
    if (sizes === undefined) return [];
    return [containerSummary(container, { ...shared, imageName: imageNameOf(container), sizes })];
  });
}

async function volumesUsage({ volumes }: ServerOptions): Promise<readonly VolumeAnswer[]> {
  const answer = ({ volume, sizeBytes, holders }: VolumeUsage): VolumeAnswer => ({
    ...volumeAnswer(volume),
    UsageData: { Size: sizeBytes, RefCount: holders },
  });
  return (await volumes.usage()).map(answer);
}
