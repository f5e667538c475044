import { Fault } from "#core/fault";
import { type Handler, route, type Route } from "../router.ts";

/** What the Engine API has and Slipway does not yet: each says so in clear words. */
const notYet: Readonly<Record<string, string>> = {
  "POST /session": "sessions (BuildKit)",
  "POST /grpc": "sessions (BuildKit)",
  "GET /containers/{name}/checkpoints": "checkpoints",
  "POST /containers/{name}/checkpoints": "checkpoints",
  "DELETE /containers/{name}/checkpoints/{checkpoint}": "checkpoints",
  "GET /images/search": "searching for images",
  "GET /distribution/{name*}/json": "asking a registry about an image",
  "POST /swarm/init": "swarm mode",
  "POST /swarm/join": "swarm mode",
  "POST /plugins/pull": "plugins",
  "POST /plugins/create": "plugins",
};

/** What only a swarm's manager answers. */
const swarmOnly: readonly string[] = [
  "GET /swarm",
  "GET /swarm/unlockkey",
  "POST /swarm/leave",
  "POST /swarm/update",
  "POST /swarm/unlock",
  ...["nodes", "services", "tasks", "secrets", "configs"].flatMap((noun) => [
    `GET /${noun}`,
    `GET /${noun}/{name}`,
    `DELETE /${noun}/{name}`,
    `POST /${noun}/create`,
    `POST /${noun}/{name}/update`,
  ]),
];

/** Routes that answer 501, those of a swarm that answer 503, and lists that are truly empty. */
export function unsupportedRoutes(): Route[] {
  return [
    ...Object.entries(notYet).map(([line, what]) => route(line, refuse(what))),
    ...swarmOnly.map((line) => route(line, noSwarm)),
    route("GET /plugins", () => ({ kind: "json", status: 200, value: [] })),
  ];
}

function refuse(what: string): Handler {
  return () => {
    throw new Fault("unsupported", `${what} is not supported yet`);
  };
}

function noSwarm(): never {
  throw new Fault(
    "unavailable",
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}
