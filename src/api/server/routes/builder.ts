import { parseFilters } from "#api/wire";
import { route, type Route } from "../router.ts";

/** The build cache, of which there is none until there is a builder: what is pruned is nothing. */
export function builderRoutes(): Route[] {
  return [
    route("POST /build/prune", ({ query }) => {
      parseFilters(query.text("filters"), pruneFilters);
      return { kind: "json", status: 200, value: { CachesDeleted: null, SpaceReclaimed: 0 } };
    }),
  ];
}

const pruneFilters: readonly string[] = [
  "until",
  "id",
  "parent",
  "type",
  "description",
  "inuse",
  "shared",
  "private",
  "unused-for",
  "label",
  "label!",
];
