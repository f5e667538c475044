import { checkVolumeCreate, parseFilters } from "#api/wire";
import { Fault } from "#core/fault";
import { volumeAnswer } from "../answers/volume-answer.ts";
import { readJson } from "../body.ts";
import type { Answer } from "../http/answer.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";
import { pruneRequest, selectVolumes, volumeListFilters, volumePruneFilters } from "../volume-filters.ts";

/** Volumes, and who has them. */
export function volumeRoutes(options: ServerOptions): Route[] {
  const { volumes } = options;
  return [
    route("GET /volumes", (request) => list(options, request)),
    route("POST /volumes/create", (request) => create(options, request)),
    route("POST /volumes/prune", (request) => prune(options, request)),
    route("GET /volumes/{name}", async (request) => ({
      kind: "json",
      status: 200,
      value: volumeAnswer(await volumes.find(nameIn(request))),
    })),
    route("PUT /volumes/{name}", () => {
      throw new Fault("unavailable", "volume update only valid for cluster volumes, but swarm is unavailable");
    }),
    route("DELETE /volumes/{name}", async (request) => {
      await volumes.remove(nameIn(request), { force: request.query.flag("force") });
      return { kind: "empty", status: 204 };
    }),
  ];
}

async function list({ volumes }: ServerOptions, { query }: ApiRequest): Promise<Answer> {
  const filters = parseFilters(query.text("filters"), volumeListFilters);
  const { volumes: all, warnings } = await volumes.list();
  const found = selectVolumes(all, filters, ({ name }) => volumes.holdersOf(name).length > 0);
  const value = { Volumes: found.map(volumeAnswer), Warnings: warnings.length === 0 ? null : warnings };
  return { kind: "json", status: 200, value };
}

async function create({ volumes }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { Name, Driver, DriverOpts, Labels, ClusterVolumeSpec } = checkVolumeCreate(await readJson(request));
  if (ClusterVolumeSpec !== undefined) {
    throw new Fault("unavailable", "cluster volumes need a swarm, and this node is not in one");
  }
  const volume = await volumes.create({
    name: Name ?? "",
    driver: Driver ?? "",
    options: DriverOpts ?? {},
    labels: Labels ?? {},
  });
  return { kind: "json", status: 201, value: volumeAnswer(volume) };
}

async function prune({ volumes }: ServerOptions, { query, version }: ApiRequest): Promise<Answer> {
  const filters = parseFilters(query.text("filters"), volumePruneFilters);
  const { removed, reclaimedBytes } = await volumes.prune(pruneRequest(filters, version));
  const value = { VolumesDeleted: removed.length === 0 ? null : removed, SpaceReclaimed: reclaimedBytes };
  return { kind: "json", status: 200, value };
}

function nameIn({ path }: ApiRequest): string {
  return path["name"] ?? "";
}
