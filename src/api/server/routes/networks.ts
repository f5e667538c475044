import { type Filters, parseFilters } from "#api/wire";
import { Fault } from "#core/fault";
import type { Network } from "#networks";
import { networkInspect } from "../answers/network-answer.ts";
import type { Answer } from "../http/answer.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";

const listFilters: readonly string[] = ["dangling", "driver", "id", "label", "name", "scope", "type"];

/** Networks, which are only the predefined ones so far, and volumes, of which there are none yet. */
export function networkRoutes(options: ServerOptions): Route[] {
  const { networks } = options;
  return [
    route("GET /networks", (request) => list(options, request)),
    route("GET /networks/{name}", (request) => {
      const network = networks.find(request.path["name"] ?? "");
      return { kind: "json", status: 200, value: networkInspect(network, request.version, networks) };
    }),
    route("DELETE /networks/{name}", (request) => {
      const { name } = networks.find(request.path["name"] ?? "");
      throw new Fault("forbidden", `${name} is a pre-defined network and cannot be removed`);
    }),
    route("POST /networks/prune", () => ({ kind: "json", status: 200, value: { NetworksDeleted: null } })),
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

function list({ networks }: ServerOptions, { query, version }: ApiRequest): Answer {
  const filters = parseFilters(query.text("filters"), listFilters);
  const found = networks.list().filter((network) => matches(network, filters));
  return { kind: "json", status: 200, value: found.map((network) => networkInspect(network, version)) };
}

function matches(network: Network, filters: Filters): boolean {
  const any = (key: string, test: (value: string) => boolean): boolean => filters[key]?.some(test) ?? true;
  const { labels } = network;
  return (
    any("driver", (value) => network.driver === value) &&
    any("id", (value) => network.id.startsWith(value)) &&
    any("name", (value) => network.name.includes(value)) &&
    any("scope", (value) => value === "local") &&
    any("type", (value) => value === "builtin") &&
    any("dangling", (value) => value === "false" || value === "0") &&
    (filters["label"] ?? []).every((wanted) => {
      const [key = "", ...value] = wanted.split("=");
      return Object.hasOwn(labels, key) && (!wanted.includes("=") || labels[key] === value.join("="));
    })
  );
}

function noSuchVolume({ path }: ApiRequest): never {
  const name = path["name"] ?? "";
  throw new Fault("notFound", `get ${name}: no such volume`);
}
