import { Fault } from "#core/fault";
import { type ApiRequest, route, type Route } from "../router.ts";

/** Volumes, of which there are none yet. */
export function volumeRoutes(): Route[] {
  return [
    route("GET /volumes", () => ({ kind: "json", status: 200, value: { Volumes: [], Warnings: null } })),
    route("GET /volumes/{name}", noSuchVolume),
    route("DELETE /volumes/{name}", noSuchVolume),
    route("POST /volumes/prune", () => ({
      kind: "json",
      status: 200,
      value: { VolumesDeleted: null, SpaceReclaimed: 0 },
    })),
  ];
}

function noSuchVolume({ path }: ApiRequest): never {
  const name = path["name"] ?? "";
  throw new Fault("notFound", `get ${name}: no such volume`);
}
